// Row at[i] of dst becomes row i of src [rows, n]; a negative at drops its row, and of two with the same at the later wins.
// CHAINS: after[i] is the next row with the same at, rows where there is none; else it is looked for here.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // elements, or groups of four, of a row
    rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> dst: array<E>;
@group(0) @binding(2) var<storage, read> src: array<E>;
@group(0) @binding(3) var<storage, read> at: array<i32>;
#ifdef CHAINS
@group(0) @binding(4) var<storage, read> after: array<u32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let row = i / p.n;
    let to = at[row];
    if (to < 0) {
        return;
    }
#ifdef CHAINS
    if (after[row] < p.rows) {
        return;
    }
#else
    for (var later = row + 1u; later < p.rows; later++) {
        if (at[later] == to) {
            return;
        }
    }
#endif
    dst[u32(to) * p.n + i % p.n] = src[i];
}
