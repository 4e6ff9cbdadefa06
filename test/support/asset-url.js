// SPDX-License-Identifier: Apache-2.0
// What a page's module gets for `import url from './file.js?url'`: Vite serves that file.
export default 'file.js';
