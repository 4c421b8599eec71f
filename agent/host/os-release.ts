// Name of the operating system out of os-release(5). Pure.

export function prettyName(text: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1]?.trim() ?? '';
  const bare = /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
  return bare.replace(/\\(["'$`\\])/g, '$1') || 'Linux';
}
