// The inverse frequencies of rope for the longest of positions: those of the table, which are for up to most tokens, and
// beyond them table[i] · r^(-i/(pairs-1)), r = factor·length/most - (factor-1): that is theta·r^(pairs/(pairs-1)) in the
// place of theta. QUARTERS: a quarter of pairs, rounded up.

struct Params {
    first: u32,
    count: u32,
    rows: u32,
    pairs: u32,
    most: i32,
    factor: f32,
    table: array<vec4f, QUARTERS>,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> inv_freq: array<f32>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;

var<workgroup> longest: array<i32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var top = positions[0];
    for (var i = lane; i < p.rows; i += 64u) {
        top = max(top, positions[i]);
    }
    longest[lane] = top;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half = half / 2u) {
        if (lane < half) {
            longest[lane] = max(longest[lane], longest[lane + half]);
        }
        workgroupBarrier();
    }
    let length = longest[0] + 1;
    var growth = 0.0;
    if (length > p.most) {
        growth = log2(p.factor * (f32(length) / f32(p.most)) - (p.factor - 1.0)) / f32(p.pairs - 1u);
    }
    for (var i = lane; i < p.pairs; i += 64u) {
        inv_freq[i] = p.table[i / 4u][i % 4u] * exp2(-f32(i) * growth);
    }
}
