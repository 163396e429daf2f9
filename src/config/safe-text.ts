/** Text of an agent, an upstream or a file, on its way to somebody's terminal or log. */

/** C0 and C1 controls, DEL, line separators, and what reorders or hides text (Unicode TR 36 §2). */
export const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;

/** Text with every character that could steer a terminal, reorder a line or break it written as `\u{…}`. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, (letter) => `\\u{${(letter.codePointAt(0) ?? 0).toString(16)}}`);
}
