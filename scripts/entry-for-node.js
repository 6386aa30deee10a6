const message =
  process.versions.bun === undefined
    ? `Bunpie needs Bun 1.4.5 or newer, and this is Node.js ${process.versions.node}: start the program with bun in place of node (npm install -g bun).`
    : 'This program was bundled for Node.js, and Bunpie needs Bun: bundle it by bun build --target=bun, or with the export condition "bun".';
const error = new Error(message);
// Node.js would show where in here the error was made, which is nowhere of interest.
error.stack = `Error: ${message}`;
throw error;
