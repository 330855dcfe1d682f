/** Writes the zip that the page would make of [[path, content as base64], ...] on stdin; the zip goes to stdout. */
import { zipParts } from '../../app/ui/workbench/zip.js';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const files = JSON.parse(Buffer.concat(chunks).toString());
const entries = files.map(([path, content]) => ({ path, file: new Blob([Buffer.from(content, 'base64')]) }));
process.stdout.write(Buffer.from(await new Blob(await zipParts(entries)).arrayBuffer()));
