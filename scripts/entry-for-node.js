const message =
  process.versions.bun === undefined
    ? `Bunpie needs Bun 1.4.5 or newer, but this is Node.js ${process.versions.node}: start the program with bun instead of node (npm install -g bun).`
    : 'This program was bundled for Node.js, but Bunpie needs Bun: bundle it with bun build --target=bun, or with the export condition "bun".';
const error = new Error(message);
// Without this, Node.js would show this file's source instead of the message alone.
error.stack = `Error: ${message}`;
throw error;
