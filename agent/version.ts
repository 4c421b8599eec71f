// The agent's version; a test holds it to package.json's, which is not there in a binary.
export const AGENT_VERSION = '0.1.0';
