// SPDX-License-Identifier: Apache-2.0

/** The processes that run a worker's calls. */
export interface JobProcesses {
  /** Whether a process carries several calls. */
  readonly shared: boolean;
  /** Calls that could start at once. */
  readonly room: number;
  /** Processes that failed to start since the last one that did. */
  readonly failures: number;
  /**
   * Takes over from the framework. To be called before the agent server is created.
   * @returns false for an unsupported version of the framework: then it runs the calls, one in a process.
   */
  install(): Promise<boolean>;
  /** Resolves when the first process can take a call; at once when the framework starts them. */
  readonly ready: Promise<void>;
  /** Call it when slots were taken or became free, and about once a second. */
  resize(): void;
  /** Gives a process no more calls, and lets it go after its last one. */
  retire(pid: number): void;
  /**
   * Starts a job again whose process died, on another one: at once, beyond the limit of that process if it must.
   * @returns false when the job is not known any more
   */
  resume(jobId: string): boolean;
  /** The call of a job has ended: it will not be resumed. */
  forget(jobId: string): void;
  /** Kills the processes that are still starting. */
  killInitializing(): void;
}
