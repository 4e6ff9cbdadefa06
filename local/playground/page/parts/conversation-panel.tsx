// SPDX-License-Identifier: Apache-2.0

import { type FormEvent, memo, useEffect, useRef, useState } from 'react';
import type {
  TranscriptItem,
  TranscriptMessage,
  TranscriptToolCall,
} from '../../state/transcript.js';
import { callController } from '../call-controller.js';
import { formatClock, formatJson, formatMs } from '../format.js';
import type { PageState } from '../page-state.js';
import { ProblemList } from './problem-list.js';
import { ScrollRegion } from './scroll-region.js';

/** The transcript as it grows, with the tool calls, and the field to type in. */
export function ConversationPanel({ state }: { state: PageState }) {
  const { call, inCall, phase, problems } = state;
  const items = call?.transcript ?? [];
  const startedAt = call?.answeredAt ?? call?.startedAt ?? 0;
  const log = useStickyBottom(items);
  return (
    <section className="conversation" aria-labelledby="conversation">
      <h2 id="conversation">Conversation</h2>
      <ScrollRegion className="log" ref={log} label="Transcript">
        {items.length + problems.length === 0 && (
          <Empty inCall={inCall} ended={phase === 'ended'} />
        )}
        <ol>
          {items.map((item) =>
            item.kind === 'tool' ? (
              <ToolCall key={item.id} item={item} startedAt={startedAt} inCall={inCall} />
            ) : (
              <Message key={item.id} item={item} startedAt={startedAt} />
            ),
          )}
        </ol>
      </ScrollRegion>
      <ProblemList problems={problems} />
      <Announcements items={items} />
      <Composer enabled={inCall && phase !== 'connecting' && phase !== 'waiting'} />
    </section>
  );
}

function Empty({ inCall, ended }: { inCall: boolean; ended: boolean }) {
  return (
    <p className="empty">
      {inCall
        ? 'What you and the agent say appears here.'
        : ended
          ? 'Nothing was said.'
          : 'Press Call and speak. The conversation appears here, with the tools that the agent calls.'}
    </p>
  );
}

const names = { you: 'You', agent: 'Agent' };

// Memoized, as the tool calls: a long call would draw all of its words at every event.
const Message = memo(function Message(props: { item: TranscriptMessage; startedAt: number }) {
  const { item, startedAt } = props;
  const { who, at, text, unspoken, interrupted, typed, done } = item;
  return (
    <li className={`words ${who}`} data-interrupted={interrupted || undefined}>
      <p className="by">
        <b>{names[who]}</b> {typed && <span className="tag">typed</span>}
        <time>{formatClock(at - startedAt)}</time>
      </p>
      <p className="text">
        {text}
        {unspoken && (
          <>
            {' '}
            <del>
              <span className="sr-only">not spoken: </span>
              {unspoken}
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
});

const ToolCall = memo(function ToolCall(props: {
  item: TranscriptToolCall;
  startedAt: number;
  inCall: boolean;
}) {
  const { item, startedAt, inCall } = props;
  const { name, args, at, outcome } = item;
  return (
    <li className={`tool ${outcome?.isError ? 'failed' : ''}`} aria-busy={!outcome && inCall}>
      <p className="by">
        <b>Tool</b> <code>{name}</code>
        <span className="took">
          {outcome ? formatMs(outcome.ms) : inCall ? 'running' : 'no result'}
        </span>
        <time>{formatClock(at - startedAt)}</time>
      </p>
      {/* Both rows are there from the start, so that nothing moves when the result arrives. */}
      <dl>
        <dt>input</dt>
        <dd>
          <code>{formatJson(args)}</code>
        </dd>
        <dt>{outcome?.isError ? 'error' : 'output'}</dt>
        <dd>
          {outcome ? (
            <code>{formatJson(outcome.result)}</code>
          ) : inCall ? (
            <span className="more" aria-hidden="true" />
          ) : (
            'the call ended before the result'
          )}
        </dd>
      </dl>
    </li>
  );
});

/** For screen readers: each item once, when it is final. A growing text would be read again and again. */
function Announcements({ items }: { items: readonly TranscriptItem[] }) {
  return (
    <div className="sr-only" role="log" aria-label="Final transcript">
      {items.map((item) => (
        <p key={item.id}>{announcement(item)}</p>
      ))}
    </div>
  );
}

function announcement(item: TranscriptItem): string {
  if (item.kind === 'tool')
    return item.outcome ? `Tool ${item.name} ${item.outcome.isError ? 'failed' : 'answered'}` : '';
  if (!item.final && !(item.done && item.typed)) return '';
  return `${names[item.who]}: ${item.text}${item.interrupted ? ', interrupted' : ''}`;
}

/** Keeps the last item in view, unless the user has scrolled up. */
function useStickyBottom(items: readonly TranscriptItem[]) {
  const ref = useRef<HTMLElement>(null);
  const sticky = useRef(true);
  useEffect(() => {
    const log = ref.current;
    if (!log) return;
    const onScroll = () => {
      sticky.current = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    };
    log.addEventListener('scroll', onScroll, { passive: true });
    // A problem below it, or a smaller window, makes it shorter.
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
    if (log && sticky.current && items.length) log.scrollTop = log.scrollHeight;
  }, [items]);
  return ref;
}

function Composer({ enabled }: { enabled: boolean }) {
  const [text, setText] = useState('');
  const [failed, setFailed] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    const message = text.trim();
    if (!message || !enabled) return;
    setText('');
    // The button is disabled now, and would take the focus with it.
    input.current?.focus();
    try {
      await callController.sendText(message);
      setFailed(false);
    } catch {
      setText(message);
      setFailed(true);
    }
  };
  return (
    <form className="composer" onSubmit={(event) => void send(event)}>
      {/* Read-only instead of disabled: the focus and the text survive the end of the call. */}
      <input
        ref={input}
        type="text"
        value={text}
        maxLength={2000}
        readOnly={!enabled}
        aria-disabled={!enabled}
        aria-label="Write to the agent"
        placeholder={enabled ? 'Or write to the agent' : 'Type here during a call'}
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="small" disabled={!enabled || !text.trim()}>
        {failed ? 'Send again' : 'Send'}
      </button>
    </form>
  );
}
