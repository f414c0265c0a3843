// Adds up the rows of dy [rows, n] with the same id, in their order, and writes the sum to that row of dtable, of which rows
// first_id to last_id - 1 are bound. An invocation takes an element (four with VEC4) of a row that is the first with its id;
// the rest of dtable is as it should be already. ADD: so is the row, and the sum is added to it.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // elements, or groups of four, of a row
    rows: u32,
    first_id: i32,
    last_id: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> dtable: array<E>;
@group(0) @binding(2) var<storage, read> dy: array<E>;
@group(0) @binding(3) var<storage, read> ids: array<i32>;
@group(0) @binding(4) var<storage, read> first_row: array<u32>;
@group(0) @binding(5) var<storage, read> after: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    var row = i / p.n;
    let col = i % p.n;
    let mine = ids[row];
    if (first_row[row] == 0u || mine < p.first_id || mine >= p.last_id) {
        return;
    }
    let at = u32(mine - p.first_id) * p.n + col;
    var sum = E();
    while (row < p.rows) {
        sum += dy[row * p.n + col];
        row = after[row];
    }
#ifdef ADD
    dtable[at] += sum;
#else
    dtable[at] = sum;
#endif
}
