/** All cases that every way of speaking HTTP/1 has to withstand. */
import { authorityRows } from './cases-authorities.ts';
import { chunkRows } from './cases-chunks.ts';
import { codingRows } from './cases-coding.ts';
import { headerRows } from './cases-headers.ts';
import { lengthRows } from './cases-length.ts';
import { lineRows } from './cases-lines.ts';
import { pipelineRows } from './cases-pipelines.ts';
import { targetRows } from './cases-targets.ts';
import type { Row } from './row.ts';

/** In the order in which they are reported. */
export const http1Rows: readonly Row[] = [
  ...lengthRows,
  ...codingRows,
  ...chunkRows,
  ...lineRows,
  ...targetRows,
  ...authorityRows,
  ...headerRows,
  ...pipelineRows,
];
