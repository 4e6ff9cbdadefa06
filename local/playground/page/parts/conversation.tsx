// SPDX-License-Identifier: Apache-2.0

import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { Caption, Line, ToolLine } from '../../state/transcript.js';
import { sendText } from '../call-controller.js';
import { clock, milliseconds, pretty } from '../format.js';
import type { PhoneState } from '../state.js';
import { Problems } from './problems.js';
import { ScrollRegion } from './scroll-region.js';

/** What both sides say, as it is said, with the tool calls between; and the text one sends. */
export function Conversation({ state }: { state: PhoneState }) {
  const { record, inCall, agent, problems } = state;
  const lines = record?.lines ?? [];
  const begun = record?.answeredAt ?? record?.startedAt ?? 0;
  const log = useStickyBottom(lines);
  return (
    <section className="conversation" aria-labelledby="conversation">
      <h2 id="conversation">Conversation</h2>
      <ScrollRegion className="log" ref={log} label="What was said">
        {lines.length + problems.length === 0 && (
          <Empty inCall={inCall} ended={agent === 'ended'} />
        )}
        <ol>
          {lines.map((line) =>
            line.kind === 'tool' ? (
              <Tool key={line.id} line={line} begun={begun} inCall={inCall} />
            ) : (
              <Words key={line.id} line={line} begun={begun} />
            ),
          )}
        </ol>
      </ScrollRegion>
      <Problems problems={problems} />
      <Aloud lines={lines} />
      <Composer enabled={inCall && agent !== 'connecting'} />
    </section>
  );
}

function Empty({ inCall, ended }: { inCall: boolean; ended: boolean }) {
  return (
    <p className="empty">
      {inCall
        ? 'What you and the agent say will appear here, as it is said.'
        : ended
          ? 'Nothing was said.'
          : 'Press Call and speak. What both of you say appears here, with the tools that the agent uses.'}
    </p>
  );
}

const names = { you: 'You', agent: 'Agent' };

function Words({ line, begun }: { line: Caption; begun: number }) {
  const { who, at, text, unsaid, interrupted, typed, done } = line;
  return (
    <li className={`words ${who}`} data-interrupted={interrupted || undefined}>
      <p className="by">
        <b>{names[who]}</b> {typed && <span className="tag">typed</span>}
        <time>{clock(at - begun)}</time>
      </p>
      <p className="text">
        {text}
        {unsaid && (
          <>
            {' '}
            <del>
              <span className="sr-only">never said: </span>
              {unsaid}
            </del>
          </>
        )}
        {interrupted && (
          <>
            {' '}
            <span className="tag interrupted">interrupted</span>
          </>
        )}
        {!done && <span className="more" aria-hidden="true" />}
      </p>
    </li>
  );
}

function Tool({ line, begun, inCall }: { line: ToolLine; begun: number; inCall: boolean }) {
  const { name, args, at, end } = line;
  return (
    <li className={`tool ${end?.isError ? 'failed' : ''}`} aria-busy={!end && inCall}>
      <p className="by">
        <b>Tool</b> <code>{name}</code>
        <span className="took">
          {end ? milliseconds(end.ms) : inCall ? 'running' : 'no result'}
        </span>
        <time>{clock(at - begun)}</time>
      </p>
      {/* Both rows from the start: nothing moves when the result comes. */}
      <dl>
        <dt>asked</dt>
        <dd>
          <code>{pretty(args)}</code>
        </dd>
        <dt>{end?.isError ? 'failed' : 'got'}</dt>
        <dd>
          {end ? (
            <code>{pretty(end.result)}</code>
          ) : inCall ? (
            <span className="more" aria-hidden="true" />
          ) : (
            'the call ended first'
          )}
        </dd>
      </dl>
    </li>
  );
}

/** For screen readers: each line once, when its words are final; growing captions would be read again and again. */
function Aloud({ lines }: { lines: readonly Line[] }) {
  return (
    <div className="sr-only" role="log" aria-label="Said in the call">
      {lines.map((line) => (
        <p key={line.id}>{aloud(line)}</p>
      ))}
    </div>
  );
}

function aloud(line: Line): string {
  if (line.kind === 'tool')
    return line.end ? `Tool ${line.name} ${line.end.isError ? 'failed' : 'answered'}` : '';
  if (!line.settled && !(line.done && line.typed)) return '';
  return `${names[line.who]}: ${line.text}${line.interrupted ? ', interrupted' : ''}`;
}

/** Follows the last line, unless the reader has scrolled up. */
function useStickyBottom(lines: readonly Line[]) {
  const ref = useRef<HTMLElement>(null);
  const sticky = useRef(true);
  useEffect(() => {
    const log = ref.current;
    if (!log) return;
    const onScroll = () => {
      sticky.current = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    };
    log.addEventListener('scroll', onScroll, { passive: true });
    // A problem below it, or another window, leaves it less room.
    const resized = new ResizeObserver(() => {
      if (sticky.current) log.scrollTop = log.scrollHeight;
    });
    resized.observe(log);
    return () => {
      log.removeEventListener('scroll', onScroll);
      resized.disconnect();
    };
  }, []);
  useEffect(() => {
    const log = ref.current;
    if (log && sticky.current && lines.length) log.scrollTop = log.scrollHeight;
  }, [lines]);
  return ref;
}

function Composer({ enabled }: { enabled: boolean }) {
  const [text, setText] = useState('');
  const [failed, setFailed] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    const words = text.trim();
    if (!words || !enabled) return;
    setText('');
    // The button has nothing more to send: without this the focus would be lost with it.
    input.current?.focus();
    try {
      await sendText(words);
      setFailed(false);
    } catch {
      setText(words);
      setFailed(true);
    }
  };
  return (
    <form className="composer" onSubmit={(event) => void send(event)}>
      {/* Read-only, and not disabled: who is writing when the call ends keeps the focus and the words. */}
      <input
        ref={input}
        type="text"
        value={text}
        maxLength={2000}
        readOnly={!enabled}
        aria-disabled={!enabled}
        aria-label="Write to the agent"
        placeholder={enabled ? 'Or write to the agent' : 'Type here in a call'}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="small" disabled={!enabled || !text.trim()}>
        {failed ? 'Send again' : 'Send'}
      </button>
    </form>
  );
}
