// Draws one dashboard from answers that were kept (window.RUN). Stats, lines and bars are Grafana's own
// components; state timelines, heatmaps and tables live in Grafana itself and not in its packages, so they are
// drawn here, with Grafana's theme, units and colours.
import React from 'react';
import 'uplot/dist/uPlot.min.css';
import { createRoot } from 'react-dom/client';
import { BarGauge, BarGaugeDisplayMode, BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, ThemeContext, TimeSeries } from '@grafana/ui';
import { applyFieldOverrides, createTheme, dateTime, FieldConfigOptionsRegistry, FieldType, getDisplayProcessor, getValueFormat, formattedValueToString, toDataFrame, VizOrientation } from '@grafana/data';

const WIDTH = 1600, LINE = 34, GAP = 8, HEAD = 28;
const theme = createTheme({ colors: { mode: 'dark' } });
const { dashboard, data, start, end, step } = window.RUN;
const range = { from: dateTime(start * 1000), to: dateTime(end * 1000), raw: { from: dateTime(start * 1000), to: dateTime(end * 1000) } };

const item = (id, isCustom) => ({ id: (isCustom ? 'custom.' : '') + id, path: id, isCustom, name: id, editor: () => null, override: () => null, process: (value) => value, shouldApply: () => true, settings: {} });
const registry = new FieldConfigOptionsRegistry(() => [
  ...['unit', 'decimals', 'min', 'max', 'color', 'thresholds', 'mappings', 'noValue', 'displayName', 'links'].map((id) => item(id, false)),
  ...['drawStyle', 'fillOpacity', 'lineWidth', 'stacking', 'spanNulls', 'showPoints', 'axisPlacement', 'axisSoftMax', 'lineInterpolation', 'scaleDistribution'].map((id) => item(id, true)),
]);

// As Grafana's Prometheus source does it: a step without a sample is a gap, not a line across.
function stepped(values) {
  const known = new Map(values.map(([time, value]) => [Math.round(time * 1000), value]));
  const times = [];
  for (let time = Math.round(start * 1000); time <= end * 1000 + 1; time += step * 1000) times.push(time);
  return times.map((time) => [time / 1000, known.get(time) ?? 'NaN']);
}

const number = (text) => (text === 'NaN' ? null : Number(text));
const named = (legend, labels) => (legend || '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '') || Object.values(labels).join(' ') || 'value';
const answers = (panel) => panel.targets.flatMap((target) => (data[`${panel.title}/${target.refId}`] ?? []).map((one) => ({ ...one, name: named(target.legendFormat, one.metric), target })));

function frames(panel) {
  const found = answers(panel).map((one) => {
    const points = one.values ? stepped(one.values) : [one.value];
    return toDataFrame({ refId: one.target.refId, name: one.name, fields: [
      { name: 'Time', type: FieldType.time, values: points.map((point) => point[0] * 1000) },
      { name: 'Value', type: FieldType.number, labels: one.metric, values: points.map((point) => number(point[1])), config: { displayName: one.name } },
    ] });
  });
  return applyFieldOverrides({ data: found, fieldConfig: panel.fieldConfig, fieldConfigRegistry: registry, replaceVariables: (text) => text, theme, timeZone: 'utc' });
}

const valueOf = (frame) => {
  const field = frame.fields[1];
  return { field, shown: (field.display ?? getDisplayProcessor({ field, theme }))(field.values.at(-1)) };
};
const unit = (name, value) => formattedValueToString(getValueFormat(name)(value));
const colorOf = (name) => theme.visualization.getColorByName(name);

function Stat({ panel, width, height }) {
  const [frame] = frames(panel);
  if (!frame) return <Empty />;
  const { shown } = valueOf(frame);
  if (panel.options.textMode === 'name') Object.assign(shown, { text: frame.name, prefix: '', suffix: '' });
  return <BigValue value={shown} width={width} height={height} theme={theme} colorMode={BigValueColorMode.Value} graphMode={BigValueGraphMode.None} textMode={BigValueTextMode.Value} justifyMode="center" />;
}

function Lines({ panel, width, height }) {
  const drawn = frames(panel);
  if (!drawn.length) return <Empty />;
  return <TimeSeries frames={drawn} timeRange={range} timeZone="utc" width={width} height={height} legend={panel.options.legend} />;
}

function Bars({ panel, width, height }) {
  const drawn = frames(panel);
  if (!drawn.length) return <Empty />;
  const most = Math.max(...drawn.map((frame) => frame.fields[1].values.at(-1)));
  const each = Math.min(40, height / drawn.length);
  return drawn.map((frame) => {
    const { field, shown } = valueOf(frame);
    return <div key={frame.name} style={{ height: each }}><BarGauge value={{ ...shown, title: frame.name }} field={{ ...field.config, min: 0, max: most }} display={field.display} width={width} height={each - 4} theme={theme} orientation={VizOrientation.Horizontal} displayMode={BarGaugeDisplayMode.Basic} itemSpacing={4} /></div>;
  });
}

function Axis({ left, width, y }) {
  const marks = [0, 0.25, 0.5, 0.75, 1];
  return marks.map((share) => <text key={share} x={left + share * (width - left)} y={y} fill={theme.colors.text.secondary} fontSize="11" textAnchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}>{dateTime((start + share * (end - start)) * 1000).utc().format('HH:mm:ss')}</text>);
}

function Timeline({ panel, width, height }) {
  const lines = answers(panel).sort((a, b) => a.name.localeCompare(b.name));
  const states = panel.fieldConfig.defaults.mappings[0].options;
  const left = Math.min(width / 3, 10 + 7 * Math.max(...lines.map((line) => line.name.length)));
  const each = (height - 18) / lines.length;
  const place = (time) => left + ((time - start) / (end - start)) * (width - left);
  return <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
    {lines.map((line, row) => <g key={line.name}>
      <text x={4} y={(row + 0.5) * each + 4} fill={theme.colors.text.primary} fontSize="12">{line.name}</text>
      {runs(line.values).map(({ from, to, value }) => <g key={from}>
        <rect x={place(from)} width={Math.max(1, place(to) - place(from))} y={row * each + 2} height={each - 4} fill={colorOf(states[value]?.color ?? 'text')} fillOpacity="0.85" />
        {place(to) - place(from) > 60 && <text x={place(from) + 5} y={(row + 0.5) * each + 4} fontSize="12" fill="#fff">{states[value]?.text ?? value}</text>}
      </g>)}
    </g>)}
    <Axis left={left} width={width} y={height - 3} />
  </svg>;
}

function runs(values) {
  const found = [];
  for (const [time, value] of values) {
    const last = found.at(-1);
    if (last && last.value === value && time - last.to < step * 1.5) last.to = time;
    else { if (last && time - last.to < step * 1.5) last.to = time; found.push({ from: time, to: time, value }); }
  }
  return found;
}

function Heat({ panel, width, height }) {
  const bound = (line) => (line.metric.le === '+Inf' ? Infinity : Number(line.metric.le));
  const lines = answers(panel).sort((a, b) => bound(a) - bound(b));
  if (!lines.length) return <Empty />;
  const seen = new Map();
  lines.forEach((line, row) => line.values.forEach(([time, value]) => {
    const cell = seen.get(time) ?? [];
    cell[row] = Number(value); seen.set(time, cell);
  }));
  const cells = [...seen].flatMap(([time, counts]) => counts.map((count, row) => ({ time, row, count: count - (counts[row - 1] ?? 0) })));
  const most = Math.max(...cells.map((cell) => cell.count));
  const left = 60, each = (height - 18) / lines.length, cellWidth = (width - left) / ((end - start) / step);
  return <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
    {lines.map((line, row) => row % 2 === 0 && <text key={row} x={left - 6} y={height - 18 - row * each - 2} fontSize="11" textAnchor="end" fill={theme.colors.text.secondary}>{bound(line) === Infinity ? 'more' : unit(panel.options.yAxis.unit, bound(line))}</text>)}
    {cells.filter((cell) => cell.count > 0.01).map((cell) => <rect key={`${cell.time} ${cell.row}`} x={left + ((cell.time - start) / (end - start)) * (width - left - cellWidth)} width={cellWidth + 0.5} y={height - 18 - (cell.row + 1) * each} height={each - 1} fill={`rgb(255,${Math.round(190 - 120 * Math.sqrt(cell.count / most))},${Math.round(120 - 110 * Math.sqrt(cell.count / most))})`} fillOpacity={0.25 + 0.75 * Math.sqrt(cell.count / most)} />)}
    <Axis left={left} width={width} y={height - 3} />
  </svg>;
}

function Table({ panel }) {
  const organize = panel.transformations.find((one) => one.id === 'organize').options;
  const rows = new Map();
  answers(panel).forEach((one) => {
    const row = rows.get(one.metric.stream) ?? { ...one.metric };
    row[`Value #${one.target.refId}`] = number(one.value[1]);
    rows.set(one.metric.stream, row);
  });
  const place = (name) => organize.indexByName[name] ?? 99;
  const columns = [...new Set([...rows.values()].flatMap(Object.keys))].filter((name) => !organize.excludeByName[name]).sort((a, b) => place(a) - place(b));
  const units = Object.fromEntries(panel.fieldConfig.overrides.map((one) => [one.matcher.options, one.properties[0].value]));
  const title = (name) => organize.renameByName[name] ?? name;
  const cell = { padding: '6px 14px', textAlign: 'left', borderBottom: `1px solid ${theme.colors.border.weak}` };
  return <table style={{ borderCollapse: 'collapse', width: '100%', fontSize: 13 }}>
    <thead><tr>{columns.map((name) => <th key={name} style={{ ...cell, color: theme.colors.text.secondary, fontWeight: 500 }}>{title(name)}</th>)}</tr></thead>
    <tbody>{[...rows.values()].map((row) => <tr key={row.stream}>{columns.map((name) => <td key={name} style={cell}>{typeof row[name] === 'number' ? unit(units[title(name)], row[name]) : row[name]}</td>)}</tr>)}</tbody>
  </table>;
}

const Empty = () => <div style={{ padding: 20, color: theme.colors.error.text }}>No data</div>;
const KINDS = { stat: Stat, timeseries: Lines, bargauge: Bars, 'state-timeline': Timeline, heatmap: Heat, table: Table };

class Guard extends React.Component {
  state = {};
  static getDerivedStateFromError(error) { return { error }; }
  componentDidCatch(error) { console.log(`FAULT ${this.props.title}: ${error}`); }
  render() { return this.state.error ? <pre>{String(this.state.error)}</pre> : this.props.children; }
}

function Box({ panel }) {
  const { x, y, w, h } = panel.gridPos, each = WIDTH / 24;
  const place = { position: 'absolute', left: x * each + GAP / 2, top: y * LINE + GAP / 2, width: w * each - GAP, height: h * LINE - GAP };
  if (panel.type === 'row') return <div style={{ ...place, color: theme.colors.text.primary, fontWeight: 500, fontSize: 16 }}>{panel.title}</div>;
  const Kind = KINDS[panel.type];
  return <div style={{ ...place, overflow: 'hidden', background: theme.colors.background.primary, border: `1px solid ${theme.colors.border.weak}`, borderRadius: 2 }}>
    <div style={{ height: HEAD, padding: '5px 8px', fontSize: 14, fontWeight: 500, overflow: 'hidden', whiteSpace: 'nowrap' }}>{panel.title}</div>
    <div style={{ padding: '0 8px' }}><Guard title={panel.title}><Kind panel={panel} width={place.width - 18} height={place.height - HEAD - 10} /></Guard></div>
  </div>;
}

const page = <ThemeContext.Provider value={theme}>
  <div style={{ position: 'relative', width: WIDTH, height: window.RUN.height, background: theme.colors.background.canvas, color: theme.colors.text.primary, fontFamily: theme.typography.fontFamily }}>
    {dashboard.panels.map((panel) => <Box key={panel.id} panel={panel} />)}
  </div>
</ThemeContext.Provider>;
createRoot(document.getElementById('root')).render(page);
setTimeout(() => console.log('DRAWN'), 1000);
