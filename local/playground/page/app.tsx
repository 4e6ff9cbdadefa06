// SPDX-License-Identifier: Apache-2.0

import { pageState } from './page-state.js';
import { BedrockEventsPanel } from './parts/bedrock-events-panel.js';
import { CallPanel } from './parts/call-panel.js';
import { ConversationPanel } from './parts/conversation-panel.js';
import { Header } from './parts/header.js';
import { LatencyPanel } from './parts/latency-panel.js';
import { TimelinePanel } from './parts/timeline-panel.js';
import { useStore } from './store.js';

export function App() {
  const state = useStore(pageState);
  return (
    <div className="page">
      <Header state={state} />
      <main>
        <CallPanel state={state} />
        <div className="columns">
          <div className="talk">
            <ConversationPanel state={state} />
          </div>
          <LatencyPanel call={state.call} />
        </div>
        <TimelinePanel call={state.call} running={state.inCall} />
        <BedrockEventsPanel state={state} />
      </main>
    </div>
  );
}
