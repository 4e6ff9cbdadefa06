// SPDX-License-Identifier: Apache-2.0

import { type ILogGroup, QueryDefinition, QueryString } from 'aws-cdk-lib/aws-logs';
import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

/** Log lines about failures. A failed stream is a warning, because the call continues; its line has a `kind`. */
export const ERRORS = 'level >= 50 or ispresent(kind)';

/** Logs Insights queries on the workers' log, by name. */
const QUERIES: Readonly<Record<string, ConstructorParameters<typeof QueryString>[0]>> = {
  'a call by id': {
    fields: [
      ...['@timestamp', 'level', 'msg', 'region', 'kind', 'reason', 'end_reason', 'trace_id'],
      // Some lines carry an error, some its text.
      'coalesce(error.message, error) as cause',
    ],
    // Replaced in the console: Logs Insights has no parameters.
    filterStatements: ['call_id = "PASTE-THE-CALL-ID"'],
    sort: '@timestamp asc',
    limit: 1000,
  },
  'errors by kind': {
    filterStatements: [ERRORS],
    statsStatements: ['count(*) as times, max(@timestamp) as last by msg, kind'],
    sort: 'times desc',
    limit: 100,
  },
  'slowest replies': {
    fields: [
      ...['@timestamp', 'call_id', 'room', 'first_audio_ms.max', 'first_audio_ms.median'],
      ...['turns', 'seconds'],
    ],
    filterStatements: ['msg = "call ended" and ispresent(first_audio_ms.max)'],
    sort: 'first_audio_ms.max desc',
    limit: 50,
  },
  'calls and their cost': {
    fields: [
      ...['@timestamp', 'call_id', 'room', 'seconds', 'turns', 'renewals'],
      ...['failovers', 'tool_errors', 'cost_usd', 'end_reason'],
    ],
    filterStatements: ['msg = "call ended"'],
    sort: '@timestamp desc',
    limit: 200,
  },
  'minutes and cost by tenant': {
    filterStatements: ['msg = "call ended" and ispresent(tenant)'],
    statsStatements: [
      'count(*) as calls, sum(seconds) / 60 as minutes, sum(cost_usd) as usd by tenant',
    ],
    sort: 'usd desc',
    limit: 1000,
  },
  'why calls ended': {
    filterStatements: ['msg = "call ended"'],
    statsStatements: ['count(*) as calls, avg(seconds) as mean_seconds by end_reason'],
    sort: 'calls desc',
  },
};

export interface LogsInsightsQueriesProps {
  /** The log that the queries read. */
  readonly logGroup: ILogGroup;
  /** Folder in the console that lists them. */
  readonly serviceName: string;
}

/** The queries, saved in CloudWatch under the service's name. */
export class LogsInsightsQueries extends Construct {
  constructor(scope: Construct, id: string, props: LogsInsightsQueriesProps) {
    super(scope, id);
    for (const [name, query] of Object.entries(QUERIES)) {
      new QueryDefinition(this, name.replaceAll(' ', ''), {
        // Names are unique in an account and Region; the stack's is, too.
        queryDefinitionName: `${Stack.of(this).stackName}/${props.serviceName}/${name}`,
        queryString: new QueryString(query),
        logGroups: [props.logGroup],
      });
    }
  }
}
