// The one list of detectors beside the engines' own detect.
import type { Detector } from './detector.ts';
import { createGitDetector } from './git.ts';
import { createHaproxyDetector } from './haproxy.ts';
import { createNatsDetector } from './nats.ts';
import { createPhpFpmDetector } from './php-fpm.ts';
import { createSftpDetector } from './sftp.ts';
import { createSubversionDetector } from './subversion.ts';

export function createDetectors(): readonly Detector[] {
  return [
    createGitDetector(),
    createHaproxyDetector(),
    createNatsDetector(),
    createPhpFpmDetector(),
    createSftpDetector(),
    createSubversionDetector(),
  ];
}
