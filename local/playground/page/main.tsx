// SPDX-License-Identifier: Apache-2.0

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { start } from './call-controller.js';
import './styles/base.css';
import './styles/page.css';
import './styles/call.css';
import './styles/sound.css';
import './styles/conversation.css';
import './styles/latency-panel.css';
import './styles/timeline.css';
import './styles/bedrock-events-panel.css';
import './styles/narrow.css';

const page = document.getElementById('page');
if (!page) throw new Error('index.html has no #page.');
createRoot(page).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
void start();
