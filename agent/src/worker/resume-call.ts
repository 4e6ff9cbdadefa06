// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { WorkerConfig } from '../config.js';
import { type CallRecord, callFields } from '../supervision/call-record.js';
import type { JobProcesses } from './job-processes.js';

/**
 * The process of a call died: lets another one take the call up, which keeps its slot and its protection.
 * @returns false when calls are not resumed, or the job is not known any more
 */
export function resumeCall(
  { resumeCallInstructions }: Pick<WorkerConfig, 'resumeCallInstructions'>,
  processes: Pick<JobProcesses, 'resume'>,
  record: CallRecord,
): boolean {
  const resumes = resumeCallInstructions !== '' && processes.resume(record.job);
  const { endReason: reason, crashes } = record;
  log().warn({ ...callFields(record), reason, crashes, resumes }, 'the process of a call died');
  return resumes;
}

/** Another process has taken the call up, `lostMs` after its own had died. */
export function logResumed(record: CallRecord, lostMs: number): void {
  log().info({ ...callFields(record), host_pid: record.pid, lost_ms: lostMs }, 'call resumed');
}
