// C = alpha · op(A) · op(W) + D. One invocation keeps a tile of C of 8 columns and 8 rows (4 without ROWS_8) in registers.
//
// TILED: a workgroup of 8×8 invocations brings 64 rows of A, 64 columns of W and 16 terms at a time into its own memory:
// the shape for GPUs. Without it invocations share nothing: on software adapters ten times faster.
// VEC4_C: n is a multiple of four.
// ADD: D is bound. ADD_IN_PLACE: D lies where C is to be.

#import matmul_operands

#ifdef VEC4_C
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
#else
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
#endif

#ifdef ADD
#ifdef W_NF4
#ifdef VEC4_C
@group(0) @binding(5) var<storage, read> d: array<vec4f>;
#else
@group(0) @binding(5) var<storage, read> d: array<f32>;
#endif
#else
#ifdef VEC4_C
@group(0) @binding(4) var<storage, read> d: array<vec4f>;
#else
@group(0) @binding(4) var<storage, read> d: array<f32>;
#endif
#endif
#endif

#ifdef VEC4_C

fn store(row: u32, col: u32, sum: vec4f) {
    if (row >= p.m || col >= p.end_col) {
        return;
    }
    let at = (row + p.c_first) * (p.n / 4u) + col / 4u;
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
    if (row >= p.m || col >= p.end_col) {
        return;
    }
    let at = (row + p.c_first) * p.n + col;
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

#ifdef TILED
// Number 16·t + i of a tile is term t of four rows or columns from 4i on.
var<workgroup> a_tile: array<vec4f, 256>;
var<workgroup> w_tile: array<vec4f, 256>;
#endif

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) local: u32) {
    let col = p.first_col + id.x * 8u;
#ifdef ROWS_8
    let row = p.first_row + id.y * 8u;
#else
    let row = p.first_row + id.y * 4u;
#endif
#ifdef TILED
    let across = 2u * (local % 8u);
    let down = 2u * (local / 8u);
#else
    if (row >= p.m || col >= p.end_col) {
        return;
    }
#endif
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
#ifdef TILED
    // Each invocation brings one block of either operand: four terms, four rows or columns.
    let term = 4u * (local / 16u);
    let place = local % 16u;
    let block_row = row - 4u * down + 4u * place;
    let block_col = col - 4u * across + 4u * place;
    for (var k = p.first_k; k < p.end_k; k += 16u) {
        var a_part = transpose(a_block(block_row, k + term));
        var w_part = w_block(k + term, block_col);
        for (var i = 0u; i < 4u; i++) {
            // Beyond k the operands that lie along it are not zero: they are of the next row.
            a_tile[16u * (term + i) + place] = select(vec4f(), a_part[i], k + term + i < p.end_k);
            w_tile[16u * (term + i) + place] = select(vec4f(), w_part[i], k + term + i < p.end_k);
        }
        workgroupBarrier();
        for (var t = 0u; t < 16u; t++) {
            let left = w_tile[16u * t + across];
            let right = w_tile[16u * t + across + 1u];
            let upper = a_tile[16u * t + down];
            let lower = a_tile[16u * t + down + 1u];
            l0 += left * upper.x;
            l1 += left * upper.y;
            l2 += left * upper.z;
            l3 += left * upper.w;
            r0 += right * upper.x;
            r1 += right * upper.y;
            r2 += right * upper.z;
            r3 += right * upper.w;
            l4 += left * lower.x;
            l5 += left * lower.y;
            l6 += left * lower.z;
            l7 += left * lower.w;
            r4 += right * lower.x;
            r5 += right * lower.y;
            r6 += right * lower.z;
            r7 += right * lower.w;
        }
        workgroupBarrier();
    }
#else
    for (var k = p.first_k; k < p.end_k; k += 4u) {
        let left = w_left(k, col);
        let right = w_right(k, col);
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
#endif
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
