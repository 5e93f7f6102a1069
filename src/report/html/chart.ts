import { CustomChart, LineChart, type CustomSeriesOption, type LineSeriesOption } from "echarts/charts";
import {
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
  type GridComponentOption,
  type MarkAreaComponentOption,
  type MarkLineComponentOption,
} from "echarts/components";
import { init, use, type ComposeOption } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { Html, markup } from "../../html/markup.js";

use([LineChart, CustomChart, GridComponent, MarkLineComponent, MarkAreaComponent, SVGRenderer]);

/** What a chart of a page may be made of. */
export type ChartOption = ComposeOption<
  LineSeriesOption | CustomSeriesOption | GridComponentOption | MarkLineComponentOption | MarkAreaComponentOption
>;

/** A chart with what a reader needs who does not see it. */
export interface Chart {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  /** What there is to see, in words. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly option: ChartOption;
}

/**
 * What the library writes that a page under a strict policy may not have, or that would differ between equal charts: style sheets and
 * attributes, marks of its own, and clips, whose names count up. Nothing that is drawn leaves its plot but bars at its right edge.
 */
const UNWANTED =
  /<style[\s\S]*?<\/style>|<defs[\s\S]*?<\/defs>| (?:style|class|clip-path|ecmeta_\w+|pointer-events|xml:space)="[^"]*"/g;

/**
 * The chart as an image in SVG. Colours given as `var(--name)` follow the page's style sheet, so that one image serves light, dark and
 * print.
 */
export function chartImage({ id, title, description, width, height, option }: Chart): Html {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ ...option, animation: false });
    const drawn = chart.renderToSVGString();
    const shapes = drawn.slice(drawn.indexOf(">") + 1, drawn.lastIndexOf("</svg>")).replace(UNWANTED, "");
    return markup`<svg role="img" aria-labelledby="${id}-title" aria-describedby="${id}-description" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<title id="${id}-title">${title}</title>
<desc id="${id}-description">${description}</desc>
${new Html(shapes)}
</svg>
`;
  } finally {
    chart.dispose();
  }
}
