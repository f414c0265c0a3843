// Row i of y [rows, n] is row ids[i] of the table, of which rows first_row to last_row - 1 are bound. Rows with other ids,
// which may be negative, are zeros; with MORE they are left as they are.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32, // elements, or groups of four, of a row
    first_row: i32,
    last_row: i32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(3) var<storage, read> ids: array<i32>;

#import weight_binding
#import weights

#ifdef VEC4
fn picked(row: u32, col: u32) -> E {
    return w_four(4u * (row * p.n + col), 0u);
}
#else
fn picked(row: u32, col: u32) -> E {
    return w_one(row * p.n + col, 0u);
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let row = ids[i / p.n];
    if (row >= p.first_row && row < p.last_row) {
        y[i] = picked(u32(row - p.first_row), i % p.n);
#ifdef MORE
    }
#else
    } else {
        y[i] = E();
    }
#endif
}
