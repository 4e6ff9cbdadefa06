// SPDX-License-Identifier: Apache-2.0

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { callController } from './call-controller.js';
import './styles/base.css';
import './styles/page.css';
import './styles/call-panel.css';
import './styles/device-choice.css';
import './styles/conversation-panel.css';
import './styles/latency-panel.css';
import './styles/timeline-panel.css';
import './styles/bedrock-events-panel.css';
import './styles/narrow.css';

const page = document.getElementById('page');
if (!page) throw new Error('index.html has no #page.');
createRoot(page).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
void callController.start();
