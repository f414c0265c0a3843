// C = alpha · op(A) · op(B) + D. One invocation keeps a tile of C of 8 columns and 8 rows (4 without ROWS_8) in
// registers and shares nothing with others: on software adapters ten times faster than tiles in workgroup memory.
//
// VEC4_C: n is a multiple of four.
// ADD: D is bound. ADD_IN_PLACE: D lies where C is to be.

#import matmul_operands

#ifdef VEC4_C
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
#else
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
#endif

#ifdef ADD
#ifdef VEC4_C
@group(0) @binding(4) var<storage, read> d: array<vec4f>;
#else
@group(0) @binding(4) var<storage, read> d: array<f32>;
#endif
#endif

#ifdef VEC4_C

fn store(row: u32, col: u32, sum: vec4f) {
    if (row >= p.m || col >= p.n) {
        return;
    }
    let at = row * (p.n / 4u) + col / 4u;
    var v = p.alpha * sum;
#ifdef ADD
    v += d[at];
#endif
#ifdef ADD_IN_PLACE
    v += c[at];
#endif
    c[at] = v;
}

#else

fn store_one(row: u32, col: u32, sum: f32) {
    if (row >= p.m || col >= p.n) {
        return;
    }
    let at = row * p.n + col;
    var v = p.alpha * sum;
#ifdef ADD
    v += d[at];
#endif
#ifdef ADD_IN_PLACE
    v += c[at];
#endif
    c[at] = v;
}

fn store(row: u32, col: u32, sum: vec4f) {
    store_one(row, col, sum.x);
    store_one(row, col + 1u, sum.y);
    store_one(row, col + 2u, sum.z);
    store_one(row, col + 3u, sum.w);
}

#endif

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let col = p.first_col + id.x * 8u;
#ifdef ROWS_8
    let row = p.first_row + id.y * 8u;
#else
    let row = p.first_row + id.y * 4u;
#endif
    if (row >= p.m || col >= p.n) {
        return;
    }
    var l0 = vec4f();
    var l1 = vec4f();
    var l2 = vec4f();
    var l3 = vec4f();
    var r0 = vec4f();
    var r1 = vec4f();
    var r2 = vec4f();
    var r3 = vec4f();
#ifdef ROWS_8
    var l4 = vec4f();
    var l5 = vec4f();
    var l6 = vec4f();
    var l7 = vec4f();
    var r4 = vec4f();
    var r5 = vec4f();
    var r6 = vec4f();
    var r7 = vec4f();
#endif
    for (var k = 0u; k < p.k; k += 4u) {
        let left = b_block(k, col);
        let right = b_block(k, col + 4u);
        let upper = a_block(row, k);
        l0 += left * upper[0];
        l1 += left * upper[1];
        l2 += left * upper[2];
        l3 += left * upper[3];
        r0 += right * upper[0];
        r1 += right * upper[1];
        r2 += right * upper[2];
        r3 += right * upper[3];
#ifdef ROWS_8
        let lower = a_block(row + 4u, k);
        l4 += left * lower[0];
        l5 += left * lower[1];
        l6 += left * lower[2];
        l7 += left * lower[3];
        r4 += right * lower[0];
        r5 += right * lower[1];
        r6 += right * lower[2];
        r7 += right * lower[3];
#endif
    }
    store(row, col, l0);
    store(row, col + 4u, r0);
    store(row + 1u, col, l1);
    store(row + 1u, col + 4u, r1);
    store(row + 2u, col, l2);
    store(row + 2u, col + 4u, r2);
    store(row + 3u, col, l3);
    store(row + 3u, col + 4u, r3);
#ifdef ROWS_8
    store(row + 4u, col, l4);
    store(row + 4u, col + 4u, r4);
    store(row + 5u, col, l5);
    store(row + 5u, col + 4u, r5);
    store(row + 6u, col, l6);
    store(row + 6u, col + 4u, r6);
    store(row + 7u, col, l7);
    store(row + 7u, col + 4u, r7);
#endif
}
