// Prints the vectors of canonical.json: what JSON.stringify(JSON.parse(text))
// gives for texts written by hand and for generated ones. Run it with
//   node canonical.mjs > canonical.json
// With --stdin it reads a JSON array of texts instead and prints, for each,
// what comes out, or null where JSON.parse refuses.
import { readFileSync } from "node:fs";

const again = (text) => JSON.stringify(JSON.parse(text));

if (process.argv.includes("--stdin")) {
  const texts = JSON.parse(readFileSync(0, "utf8"));
  const out = texts.map((text) => {
    try {
      return again(text);
    } catch {
      return null;
    }
  });
  process.stdout.write(JSON.stringify(out));
} else {
  const vectors = [...byHand(), ...generated(150)].map((give) => ({ give, want: again(give) }));
  process.stdout.write("[\n" + vectors.map((v) => "  " + JSON.stringify(v)).join(",\n") + "\n]\n");
}

function byHand() {
  return [
    // words, white space, empty containers
    "null", "true", " false ", "\t\r\n{} ", "[ ]", "[[],{},[[]]]", '{"a":{"b":[1,2,{"c":null}]}}',
    // strings: what stays raw, what becomes an escape, what stops being one
    '""', '"plain"', '"<a href=\'x\'>&amp;</a>"', '"\u2028\u2029"', '"\\u2028\\u2029"', '"\\u003c\\u003E\\u0026"',
    '"\\/ \\\\ \\" \\b\\f\\n\\r\\t"', '"\\u0000\\u0001\\u0007\\u0008\\u000B\\u000c\\u001f"', '"\\u007f\u007f"',
    '"\\u00e9é\\u00E9"', '"\u{1F600}"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\\uFFFF\\uFEFF\ufeff"',
    '"\\ud800"', '"\\udfff"', '"\\uDBFF\\uDBFF\\uDFFF\\uDFFF"', '"\\ud83d\\u0041"', '"\\ud83d \\ude00"',
    '"\\ud83d\u{1F600}"', '"\\\\ud800"', '"\\\\\\ud800"', '{"\\ud800":1,"\\\\ud800":2}',
    // keys: order, whole numbers, repeats, names that objects treat specially
    '{"b":1,"a":2}', '{"b":1,"2":2,"a":3,"1":4,"10":5}', '{"a":1,"b":2,"a":3}', '{"a":{"x":1},"b":2,"\\u0061":[3]}',
    '{"1":1,"0":2,"1":3,"01":4,"-1":5,"1.5":6,"-0":7," 1":8,"1e3":9}',
    '{"4294967294":1,"4294967295":2,"4294967293":3,"42949672940":4}', '{"4294967296":1,"5":2,"99999999999":3}',
    '{"x":1,"4294967295":2,"0":3}',
    '{"__proto__":1,"a":2}', '{"__proto__":{"a":1},"__proto__":{"b":2},"constructor":null,"toString":[]}',
    '{"":1,"":2," ":3}', '{"3":{"2":{"1":{"b":1,"0":2}}},"a":[{"9":1,"8":2}]}', '{"length":1,"0":2,"é":3,"e\u0301":4}',
    JSON.stringify(Object.fromEntries([...Array(40).keys()].map((i) => ["k" + i, i]))).replace("}", ',"k3":"again","7":7,"k39":[]}'),
    // numbers
    "0", "-0", "-0.0", "0e5", "-0E-5", "0.0", "1", "-1", "1.0", "1.10", "100", "1e2", "1E+2", "1.5e1", "150e-1",
    "0.1", "0.10", "1e-1", "0.000001", "0.0000001", "1e-6", "1e-7", "123e-9", "1e20", "1e21", "100000000000000000000",
    "1000000000000000000000", "123456789012345680000", "1.2345e+25", "9007199254740991", "9007199254740992", "-9007199254740992",
    "999999999999999", "1234567890123456", "1.7976931348623157e308", "-1.7976931348623157E+308", "5e-324", "2.2250738585072014e-308",
    "0.30000000000000004", "4.35", "0.5000", "12e0", "1e00", "1e+00", "0.1e1", "10.01e1", "3.0e0", "0.00001234e5",
    "[1e3,1.0,-2.50,33e-1]",
  ];
}

function generated(count) {
  let state = 20261121;
  const next = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 4294967296) * below);
  };
  const pick = (list) => list[next(list.length)];
  const space = () => pick(["", "", "", " ", "\n", "\t", "\r\n  "]);
  const pieces = [
    "a", "Z", "0", "~", " ", "/", "<", ">", "&", "'", "é", "ß", "漢", "\u2028", "\u2029", "\u{1F600}", "\u{10FFFF}", "\u007f",
    "\\n", "\\t", "\\b", "\\f", "\\r", '\\"', "\\\\", "\\/", "\\u0000", "\\u001F", "\\u0041", "\\u00e9", "\\u2028",
    "\\ud83d\\ude00", "\\uD83D", "\\udE00", "\\uffff",
  ];
  const string = () => '"' + Array.from({ length: next(8) }, () => pick(pieces)).join("") + '"';
  const key = () => pick([string, string, () => `"${next(20)}"`, () => pick(['"a"', '"b"', '"__proto__"', '"00"', '"4294967295"'])])();
  const number = () => {
    const sign = pick(["", "", "-"]);
    const value = pick([() => next(1000), () => next(4294967296), () => next(4294967296) / 4294967296, () => next(100000) / 1000,
      () => (1 + next(999)) * 10 ** (next(60) - 30), () => Math.exp(next(1400) - 700)])();
    const text = pick([String, (v) => v.toExponential(), (v) => v.toExponential().replace("e+", "E"), (v) => v.toExponential().replace(/e([+-])/, "e$10")])(value);
    return sign + text;
  };
  const value = (depth) => {
    const kind = next(depth > 4 ? 4 : 8);
    if (kind === 0) return pick(["null", "true", "false"]);
    if (kind === 1) return string();
    if (kind < 4) return number();
    const items = Array.from({ length: next(6) }, () => (kind < 6
      ? space() + value(depth + 1) + space()
      : space() + key() + space() + ":" + space() + value(depth + 1) + space()));
    return kind < 6 ? "[" + items.join(",") + "]" : "{" + (items.join(",") || space()) + "}";
  };
  return Array.from({ length: count }, () => space() + value(0) + space());
}
