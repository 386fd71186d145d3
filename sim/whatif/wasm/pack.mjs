// node pack.mjs FILE > TEXT: the file compressed with gzip, in base64; the same bytes every time.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
const packed = gzipSync(readFileSync(process.argv[2]), { level: 9 });
packed[9] = 255;  // the header's operating system: unknown
process.stdout.write(packed.toString("base64"));
