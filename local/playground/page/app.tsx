// SPDX-License-Identifier: Apache-2.0

import { WireView } from './parts/bedrock-events-panel.js';
import { Stage } from './parts/call-panel.js';
import { Conversation } from './parts/conversation.js';
import { Header } from './parts/header.js';
import { Figures } from './parts/latency-panel.js';
import { TimelineView } from './parts/timeline.js';
import { phone } from './state.js';
import { useStore } from './store.js';

export function App() {
  const state = useStore(phone);
  return (
    <div className="page">
      <Header state={state} />
      <main>
        <Stage state={state} />
        <div className="columns">
          <div className="talk">
            <Conversation state={state} />
          </div>
          <Figures record={state.record} />
        </div>
        <TimelineView record={state.record} running={state.inCall} />
        <WireView state={state} />
      </main>
    </div>
  );
}
