/** A fault in the settings: where it stands, which setting it is about, what is wrong. */
export interface SettingsFault {
  /** `writ.yaml:3`, `WRIT_LISTEN__FORWARD` or `--forward`. */
  readonly where: string;
  /** `listen.forward`; empty where no setting is meant. */
  readonly name: string;
  readonly message: string;
}

/** One line for people: `writ.yaml:3: listen.forward: must be …`. May hold text of the file. */
export function faultText({ where, name, message }: SettingsFault): string {
  return [where, name, message].filter(Boolean).join(': ');
}
