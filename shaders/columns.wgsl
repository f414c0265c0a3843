// Copies columns of x [rows, n] into y [rows, width]: column c of y is column c + from of x. What lies outside of x is 0,
// so the same kernel cuts columns out and puts them back.

#import element

struct Params {
    first: u32,
    count: u32,
    n: u32,     // elements, or groups of four, of a row of x
    width: u32, // and of y
    shift: i32, // from
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<E>;
@group(0) @binding(2) var<storage, read> x: array<E>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let col = i32(i % p.width) + p.shift;
    if (col < 0 || col >= i32(p.n)) {
        y[i] = E();
    } else {
        y[i] = x[i / p.width * p.n + u32(col)];
    }
}
