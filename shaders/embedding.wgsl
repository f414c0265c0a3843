// Row i of y [rows, n] is row ids[i] of table, and zeros where the id is negative.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // elements, or groups of four, of a row
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(2) var<storage, read> table: array<E>;
@group(0) @binding(3) var<storage, read> ids: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let row = ids[i / p.n];
    if (row < 0) {
        y[i] = E();
    } else {
        y[i] = table[u32(row) * p.n + i % p.n];
    }
}
