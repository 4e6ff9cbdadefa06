// SPDX-License-Identifier: Apache-2.0
// Long because it is one table: every rule, with where it is known from.

/** How a rule is known. */
export const EVIDENCE = {
  documented: "AWS's documentation says so",
  captured: 'a capture of the real service shows it',
  measured: 'others have seen it on the real service and published it',
  contradicted: 'documented or reported, but clients that work with Bedrock do otherwise',
  inferred: 'follows from an SDK, from another API of Bedrock or from another model',
  guessed: 'our own guess',
} as const;
/** How a rule is known. */
export type Evidence = keyof typeof EVIDENCE;

/** What is refused without `strict`: only what is documented or was seen. */
export const REFUSED_BY_DEFAULT: readonly Evidence[] = ['documented', 'captured', 'measured'];

/** A rule of the service, as far as it is known. */
export interface ProtocolRule {
  /** What a client must do. */
  rule: string;
  /** How the rule is known; by default decides whether it is refused. */
  evidence: Evidence;
  /** Where it is known from. */
  source: string;
  /**
   * `always`: refused however it is known, because there is nothing to go on with; `never`: known to be accepted, so
   * that it only warns.
   * @default by its evidence
   */
  refused?: 'always' | 'never';
}

const INPUT_EVENTS = 'nova2-userguide, sonic-input-events';
const HISTORY = 'nova2-userguide, sonic-chat-history';
const CONVERSE = 'Bedrock API reference, ToolSpecification (Converse)';

/** Every rule by its name. */
export const PROTOCOL_RULES = {
  // Before the stream.
  signature: {
    rule: 'The request is signed with AWS Signature Version 4, with known credentials and a clock that is right to 5 minutes',
    evidence: 'documented',
    source: 'AWS General Reference; the SDKs',
    refused: 'always',
  },
  'chunk-signature': {
    rule: 'Each chunk carries a signature that is chained to the one before',
    evidence: 'inferred',
    source: "the SDKs; the service's answer is not known",
    refused: 'always',
  },
  operation: {
    rule: 'The request is POST /model/{modelId}/invoke-with-bidirectional-stream',
    evidence: 'documented',
    source: 'Bedrock API reference',
    refused: 'always',
  },
  'model-id': {
    rule: 'The model id is that of a Nova Sonic model, an inference profile or an ARN',
    evidence: 'documented',
    source: 'model cards',
    refused: 'always',
  },
  'model-end-of-life': {
    rule: 'The model has not reached its end of life',
    evidence: 'documented',
    source: 'model lifecycle: amazon.nova-sonic-v1:0 ended on 2026-09-14',
    refused: 'always',
  },
  'concurrent-streams': {
    rule: 'An account has at most 20 streams in a Region at a time',
    evidence: 'documented',
    source: 'model card of Nova 2 Sonic; the text of the 429 is not known',
    refused: 'always',
  },
  // Time.
  'connection-length': {
    rule: 'A connection lasts at most 8 minutes (480.5 s measured)',
    evidence: 'measured',
    source: 'Bedrock API reference; amazon-nova-samples #147',
    refused: 'always',
  },
  'audio-idle': {
    rule: 'Audio or interactive content comes at least every 55 s',
    evidence: 'measured',
    source: 'the text of the error, reported by several; also on 2.5 (2026-10)',
    refused: 'always',
  },
  'speech-idle': {
    rule: 'Speech or interactive content comes at least every 295 s',
    evidence: 'measured',
    source: 'the text of the error, reported since 2026-07',
    refused: 'always',
  },
  // Form.
  'event-shape': {
    rule: 'An event is a JSON object {"event":{"<name>":{…}}}',
    evidence: 'measured',
    source: '"Unable to parse input chunk", reported by several',
    refused: 'always',
  },
  'one-name': {
    rule: 'An event has one name',
    evidence: 'contradicted',
    source: 'Vision-Agents sends turnDetectionConfiguration beside sessionStart',
  },
  'beside-event': {
    rule: 'Nothing stands beside "event"',
    evidence: 'guessed',
    source: '',
  },
  'event-name': {
    rule: 'The name of an event is known',
    evidence: 'contradicted',
    source: 'strands (bidi) ends with connectionEnd',
  },
  'event-size': {
    rule: 'An event has at most 1,000,000 bytes',
    evidence: 'inferred',
    source: "limit of InvokeModel's PartBody in the SDKs' models",
  },
  'unknown-field': {
    rule: 'Fields are known',
    evidence: 'contradicted',
    source:
      'sample-sonic-cdk-agent sends role in audioInput, mastra topK and stopSequences; only a misplaced endpointingSensitivity was seen to fail',
  },
  'required-field': {
    rule: 'Required fields are present',
    evidence: 'inferred',
    source: `the examples of ${INPUT_EVENTS}`,
  },
  'field-type': {
    rule: 'Fields have the type of the examples',
    evidence: 'inferred',
    source: `the examples of ${INPUT_EVENTS}`,
  },
  'role-in-content-start': {
    rule: 'The role stands in contentStart, and only there',
    evidence: 'contradicted',
    source: `${INPUT_EVENTS}; resume-conversation (amazon-nova-samples), sample-serverless-nova-sonic-chat and sample-sonic-cdk-agent send it in textInput`,
  },
  role: {
    rule: 'A TEXT content has the role SYSTEM, USER, ASSISTANT or SYSTEM_SPEECH',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  'audio-role': {
    rule: 'An AUDIO content has the role USER',
    evidence: 'contradicted',
    source: `the examples of ${INPUT_EVENTS}; sample-s2s-voip-gateway sends none`,
  },
  'tool-role': {
    rule: 'A TOOL content has the role TOOL',
    evidence: 'contradicted',
    source: `the examples of ${INPUT_EVENTS}; a public client sends USER`,
  },
  // sessionStart.
  'inference-configuration': {
    rule: 'sessionStart has an inferenceConfiguration',
    evidence: 'inferred',
    source: `the examples of ${INPUT_EVENTS}; clients leave it out`,
  },
  'inference-range': {
    rule: 'topP and temperature are from 0 to 1',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  'max-tokens': {
    rule: 'maxTokens is at least 1',
    evidence: 'guessed',
    source: 'livekit-plugins-aws limits it to 1…10,000',
  },
  'sensitivity-place': {
    rule: 'endpointingSensitivity stands in turnDetectionConfiguration (from Nova 2)',
    evidence: 'measured',
    source: 'livekit/agents #6200: "Invalid input request" since mid-2026',
  },
  'sensitivity-place-v1': {
    rule: 'endpointingSensitivity stands in sessionStart (Nova Sonic 1)',
    evidence: 'inferred',
    source: 'livekit-plugins-aws',
  },
  'sensitivity-value': {
    rule: 'endpointingSensitivity is HIGH, MEDIUM or LOW',
    evidence: 'documented',
    source: 'nova2-userguide, sonic-turn-taking',
  },
  // promptStart.
  'sample-rate': {
    rule: 'sampleRateHertz is 8000, 16000 or 24000',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  'audio-format': {
    rule: 'Audio is audio/lpcm of 16 bits, mono, SPEECH, base64',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  'text-format': {
    rule: 'Text is text/plain, tool use is application/json',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  voice: {
    rule: 'voiceId is a voice of the model, in lower case',
    evidence: 'measured',
    source: '"Received invalid id: \'Carlos\'"; nova2-userguide, sonic-language-support',
  },
  'voice-2-5': {
    rule: 'voiceId is a voice of Nova 2 (Nova 2.5)',
    evidence: 'inferred',
    source: 'the voices of Nova 2; those of 2.5 are not listed',
  },
  'schema-string': {
    rule: 'inputSchema.json is a string',
    evidence: 'measured',
    source: '"Unable to parse input chunk" for an object, reported by at least five',
  },
  'schema-json': {
    rule: 'inputSchema.json holds a JSON object',
    evidence: 'inferred',
    source: 'nova2-userguide, sonic-tool-configuration',
  },
  'schema-keys': {
    rule: 'At its top, a schema has type "object", properties and required, and nothing else',
    evidence: 'contradicted',
    source:
      "documented for Nova's text models (and seen: pydantic-ai #1623); AWS's own Sonic samples send $schema",
  },
  'tool-name': {
    rule: 'A tool is named with 1 to 64 letters, digits, _ or -',
    evidence: 'inferred',
    source: CONVERSE,
  },
  'tool-name-once': {
    rule: 'Tools have different names',
    evidence: 'inferred',
    source: 'the Converse API; reported for other models',
  },
  'tool-description': {
    rule: 'A description is not empty',
    evidence: 'inferred',
    source: CONVERSE,
  },
  'tool-choice': {
    rule: 'toolChoice is {"auto":{}}, {"any":{}} or {"tool":{"name":…}}',
    evidence: 'documented',
    source: 'nova2-userguide, sonic-tool-configuration',
  },
  'tool-choice-v1': {
    rule: 'toolChoice belongs to Nova 2',
    evidence: 'contradicted',
    source: 'one report of "Unable to parse input chunk"; documented for Nova Sonic 1',
  },
  'tool-choice-name': {
    rule: 'toolChoice names a tool that is declared',
    evidence: 'guessed',
    source: '',
  },
  // Order.
  'session-start-first': {
    rule: 'sessionStart comes first',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  'session-start-once': { rule: 'sessionStart comes once', evidence: 'guessed', source: '' },
  'prompt-start-first': {
    rule: 'promptStart comes before any content',
    evidence: 'measured',
    source: '"No prompts were received in the sequence" (openclaw #64318)',
  },
  'prompt-start-once': { rule: 'promptStart comes once', evidence: 'guessed', source: '' },
  'prompt-name': {
    rule: 'Every event has the promptName of promptStart',
    evidence: 'documented',
    source: INPUT_EVENTS,
  },
  'after-prompt-end': {
    rule: 'Nothing but sessionEnd follows promptEnd',
    evidence: 'guessed',
    source: '',
  },
  'after-session-end': { rule: 'Nothing follows sessionEnd', evidence: 'guessed', source: '' },
  'system-first': {
    rule: 'The first content is the SYSTEM text',
    evidence: 'measured',
    source: '"First content must have SYSTEM role", reported by four clients (2026)',
  },
  'system-once': {
    rule: 'There is one SYSTEM text',
    evidence: 'measured',
    source: '"Duplicate SYSTEM content", reported by several',
  },
  'system-before-history': {
    rule: 'The SYSTEM text comes before the history',
    evidence: 'documented',
    source: HISTORY,
    refused: 'never',
  },
  'system-speech-model': {
    rule: 'SYSTEM_SPEECH belongs to Nova 2',
    evidence: 'inferred',
    source: `${INPUT_EVENTS}; not in the guide of Nova Sonic 1`,
  },
  'system-speech-once': {
    rule: 'SYSTEM_SPEECH comes once, before the audio',
    evidence: 'guessed',
    source: '',
  },
  'content-name-once': {
    rule: 'A contentName is used once',
    evidence: 'contradicted',
    source: `${INPUT_EVENTS}; litellm uses that of the audio again`,
  },
  'audio-once': {
    rule: 'One AUDIO content is open at a time',
    evidence: 'inferred',
    source: INPUT_EVENTS,
  },
  'content-open': {
    rule: 'An event belongs to a content that is open',
    evidence: 'inferred',
    source: INPUT_EVENTS,
  },
  'content-kind': {
    rule: 'textInput belongs to TEXT, audioInput to AUDIO, toolResult to TOOL',
    evidence: 'contradicted',
    source: `${INPUT_EVENTS}; a public Swift client sends results of tools as textInput`,
  },
  base64: {
    rule: 'audioInput.content is base64',
    evidence: 'inferred',
    source: INPUT_EVENTS,
  },
  'whole-samples': {
    rule: 'audioInput holds whole samples',
    evidence: 'guessed',
    source: '',
    refused: 'never',
  },
  'content-not-empty': {
    rule: 'A content that received nothing is not closed',
    evidence: 'measured',
    source: '"Cannot end content … as no content data was received"',
  },
  'contents-closed': {
    rule: 'Contents are closed before promptEnd',
    evidence: 'measured',
    source: '"All contents must be closed before ending prompt"',
  },
  'prompt-has-audio': {
    rule: 'A prompt has an AUDIO content',
    evidence: 'measured',
    source: '"Prompt […] must have at least one audio content"',
  },
  'prompt-closed': {
    rule: 'promptEnd comes before sessionEnd and before the end of the input',
    evidence: 'measured',
    source: '"The following prompts were not closed" (litellm #31924 and others)',
  },
  // History.
  'history-first-user': {
    rule: 'The history begins with USER',
    evidence: 'measured',
    source: '"First message in chat history should not be Assistant"',
  },
  'history-before-audio': {
    rule: 'The history comes before the audio, and no audio inside it',
    evidence: 'measured',
    source:
      '"Chat history should be sent completely before streaming audio" (livekit/agents #5626)',
  },
  'history-alternates': {
    rule: 'USER and ASSISTANT alternate in the history',
    evidence: 'inferred',
    source: 'livekit-plugins-aws merges neighbours',
  },
  'history-text-size': {
    rule: 'A textInput of the history has at most 50 KB',
    evidence: 'documented',
    source: `${HISTORY} (since 2026-06-22)`,
  },
  'history-size': {
    rule: 'The history has at most 200 KB',
    evidence: 'documented',
    source: `${HISTORY} (since 2026-06-22)`,
  },
  'assistant-in-conversation': {
    rule: 'ASSISTANT text after the audio began is ignored',
    evidence: 'measured',
    source: 'public notes of two teams',
    refused: 'never',
  },
  // Results of tools.
  'result-object': {
    rule: 'toolResult.content is a JSON object',
    evidence: 'measured',
    source: '"Tool Response parsing error" (livekit/agents #2874, #4348; also on 2.5)',
  },
  'result-once': {
    rule: 'A TOOL content has one toolResult',
    evidence: 'guessed',
    source: '',
  },
  'result-pending': {
    rule: 'A result answers a call that waits for it',
    evidence: 'measured',
    source: 'a ValidationException, whose text was not published',
  },
} as const satisfies Record<string, ProtocolRule>;

/** Name of a rule, like `session-start-first`. */
export type RuleName = keyof typeof PROTOCOL_RULES;

/** The rule of a name. */
export const protocolRule = (name: RuleName): ProtocolRule => PROTOCOL_RULES[name];

/** Whether a server refuses what breaks a rule. */
export function isRefused(name: RuleName, strict: boolean): boolean {
  const { evidence, refused } = protocolRule(name);
  if (refused) return refused === 'always';
  return strict || REFUSED_BY_DEFAULT.includes(evidence);
}

/** `rule voice, measured: …`: what an explanation of a mistake ends with. */
export function citation(name: RuleName): string {
  const { evidence, source } = protocolRule(name);
  return `rule ${name}, ${evidence}${source ? `: ${source}` : ''}`;
}
