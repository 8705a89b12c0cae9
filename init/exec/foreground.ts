import { send } from '../child/survivors.ts';
import { canSpawnInForeground } from '../posix/spawn.ts';
import { foregroundGroup, openTerminal, setForegroundGroup } from '../posix/terminal.ts';
import { ownGroup } from '../posix/this-process.ts';

/** Who reads the controlling terminal: we or the child's process group. Without a terminal all of it does nothing. */
export interface Foreground {
  /** The terminal, where it is ours to give: for the start of the child. */
  readonly forNewGroup: number | undefined;
  /**
   * The child's group reads from now on, where we did. Never taken from anybody else: in the background we stay there.
   */
  give(group: number): void;
  /** We read from now on, where the child's group did. */
  takeBack(): void;
}

/** Finds the controlling terminal, if any. */
export function shareTerminal(): Foreground {
  const terminal = openTerminal();
  if (terminal === undefined) return { forNewGroup: undefined, give() {}, takeBack() {} };
  const us = ownGroup();
  const isOurs = (): boolean => foregroundGroup(terminal) === us;
  let given = false;
  const forNewGroup = isOurs() ? terminal : undefined;
  return {
    forNewGroup,
    give(group) {
      if (!isOurs()) {
        given ||= forNewGroup !== undefined && foregroundGroup(terminal) === group;
        return;
      }
      given = setForegroundGroup(terminal, group);
      // Without the kernel's help it may have read too early, and been stopped for it.
      if (given && !canSpawnInForeground()) send(group, 'SIGCONT');
    },
    takeBack() {
      if (given) setForegroundGroup(terminal, us);
      given = false;
    },
  };
}
