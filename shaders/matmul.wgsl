// C = alpha · op(A) · op(W) + D. One invocation keeps a tile of C of 8 columns and 8 rows (4 without ROWS_8) in registers:
// two groups of four neighbouring columns and two (or one) of four rows.
//
// A workgroup has ACROSS × DOWN places and, with DEEP, DEPTH invocations at each, which share the terms of its sums and
// add up in a fixed order what they have: for products of few elements and many terms.
// TILED: a workgroup has as many rows as columns, GROUPS groups of four. It brings its part of A and W into its own memory,
// TERMS at a time, and the next of them into registers while it computes. With neither, invocations share nothing: on software adapters ten times faster.
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
    if (row >= p.end_row || col >= p.end_col) {
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
    if (row >= p.end_row || col >= p.end_col) {
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
// Vector GROUPS·t + (i ^ turn(t)) is term t of four rows of A from 4i on; those of W stand behind all of A.
var<workgroup> shared_memory: array<vec4f, SHARED>;

fn turn(t: u32) -> u32 {
    return 2u * (t / 4u % 4u);
}

// Vector i of a block is term k + i.
fn brought(of_a: bool, row: u32, col: u32, k: u32) -> mat4x4f {
    if (of_a) {
        return transpose(a_block(row, k));
    }
    return w_block(k, col);
}

#else
#ifdef DEEP
var<workgroup> shared_memory: array<vec4f, SHARED>;
#endif
#endif

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) local: u32) {
    let x = local % ACROSS;
    let y = local / ACROSS % DOWN;
    let group_col = p.first_col + group.x * 8u * ACROSS;
    let left_col = group_col + 4u * x;
    let right_col = left_col + 4u * ACROSS;
#ifdef ROWS_8
    let group_row = p.first_row + group.y * 8u * DOWN;
    let lower_row = group_row + 4u * DOWN + 4u * y;
#else
    let group_row = p.first_row + group.y * 4u * DOWN;
#endif
    let upper_row = group_row + 4u * y;
#ifdef DEEP
    let depth = local / (ACROSS * DOWN);
#else
    let depth = 0u;
#ifdef TILED
#else
    if (upper_row >= p.end_row || left_col >= p.end_col) {
        return;
    }
#endif
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
    // Each invocation brings a block: four terms of four rows of A or, from the middle of the invocations on, columns of W.
    // Neighbours read neighbouring terms, and groups are turned so that they write to different banks.
    let of_a = local < INVOCATIONS / 2u;
    let number = local % (INVOCATIONS / 2u);
    let term = 4u * (number % 4u) + number / (4u * GROUPS) * 16u;
    let place = number / 4u % GROUPS;
    let across = group_col + 4u * place;
    let down = group_row + 4u * place;
    let to = select(GROUPS * TERMS, 0u, of_a) + GROUPS * term + (place ^ turn(term));
    var block = brought(of_a, down, across, p.first_k + term);
    for (var k = p.first_k; k < p.end_k; k += TERMS) {
        // Beyond k the operands that lie along it are not zero: they are of the next row.
        shared_memory[to] = select(vec4f(), block[0], k + term < p.end_k);
        shared_memory[to + GROUPS] = select(vec4f(), block[1], k + term + 1u < p.end_k);
        shared_memory[to + 2u * GROUPS] = select(vec4f(), block[2], k + term + 2u < p.end_k);
        shared_memory[to + 3u * GROUPS] = select(vec4f(), block[3], k + term + 3u < p.end_k);
        workgroupBarrier();
        if (k + TERMS < p.end_k) {
            block = brought(of_a, down, across, k + TERMS + term);
        }
        for (var t = depth * SLICE; t < (depth + 1u) * SLICE; t += 4u) {
            let from_left = GROUPS * (TERMS + t) + (x ^ turn(t));
            let from_right = GROUPS * (TERMS + t) + ((ACROSS + x) ^ turn(t));
            let from_upper = GROUPS * t + (y ^ turn(t));
#ifdef ROWS_8
            let from_lower = GROUPS * t + ((DOWN + y) ^ turn(t));
#endif
            for (var i = 0u; i < 4u; i++) {
                let left = shared_memory[from_left + GROUPS * i];
                let right = shared_memory[from_right + GROUPS * i];
                let upper = shared_memory[from_upper + GROUPS * i];
                l0 += left * upper.x;
                l1 += left * upper.y;
                l2 += left * upper.z;
                l3 += left * upper.w;
                r0 += right * upper.x;
                r1 += right * upper.y;
                r2 += right * upper.z;
                r3 += right * upper.w;
#ifdef ROWS_8
                let lower = shared_memory[from_lower + GROUPS * i];
                l4 += left * lower.x;
                l5 += left * lower.y;
                l6 += left * lower.z;
                l7 += left * lower.w;
                r4 += right * lower.x;
                r5 += right * lower.y;
                r6 += right * lower.z;
                r7 += right * lower.w;
#endif
            }
        }
        workgroupBarrier();
    }
#else
    for (var k = p.first_k + 4u * depth; k < p.end_k; k += 4u * DEPTH) {
        let left = w_left(k, left_col);
        let right = w_right(k, right_col);
        let upper = a_block(upper_row, k);
        l0 += left * upper[0];
        l1 += left * upper[1];
        l2 += left * upper[2];
        l3 += left * upper[3];
        r0 += right * upper[0];
        r1 += right * upper[1];
        r2 += right * upper[2];
        r3 += right * upper[3];
#ifdef ROWS_8
        let lower = a_block(lower_row, k);
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
#ifdef DEEP
    // The farther half lends its sums to the nearer one, again and again.
    for (var half = DEPTH / 2u; half > 0u; half = half / 2u) {
        let lent = local % (half * ACROSS * DOWN);
        if (depth >= half && depth < 2u * half) {
            shared_memory[lent] = l0;
            shared_memory[lent + LENDERS] = l1;
            shared_memory[lent + 2u * LENDERS] = l2;
            shared_memory[lent + 3u * LENDERS] = l3;
            shared_memory[lent + 4u * LENDERS] = r0;
            shared_memory[lent + 5u * LENDERS] = r1;
            shared_memory[lent + 6u * LENDERS] = r2;
            shared_memory[lent + 7u * LENDERS] = r3;
#ifdef ROWS_8
            shared_memory[lent + 8u * LENDERS] = l4;
            shared_memory[lent + 9u * LENDERS] = l5;
            shared_memory[lent + 10u * LENDERS] = l6;
            shared_memory[lent + 11u * LENDERS] = l7;
            shared_memory[lent + 12u * LENDERS] = r4;
            shared_memory[lent + 13u * LENDERS] = r5;
            shared_memory[lent + 14u * LENDERS] = r6;
            shared_memory[lent + 15u * LENDERS] = r7;
#endif
        }
        workgroupBarrier();
        if (depth < half) {
            l0 += shared_memory[lent];
            l1 += shared_memory[lent + LENDERS];
            l2 += shared_memory[lent + 2u * LENDERS];
            l3 += shared_memory[lent + 3u * LENDERS];
            r0 += shared_memory[lent + 4u * LENDERS];
            r1 += shared_memory[lent + 5u * LENDERS];
            r2 += shared_memory[lent + 6u * LENDERS];
            r3 += shared_memory[lent + 7u * LENDERS];
#ifdef ROWS_8
            l4 += shared_memory[lent + 8u * LENDERS];
            l5 += shared_memory[lent + 9u * LENDERS];
            l6 += shared_memory[lent + 10u * LENDERS];
            l7 += shared_memory[lent + 11u * LENDERS];
            r4 += shared_memory[lent + 12u * LENDERS];
            r5 += shared_memory[lent + 13u * LENDERS];
            r6 += shared_memory[lent + 14u * LENDERS];
            r7 += shared_memory[lent + 15u * LENDERS];
#endif
        }
        workgroupBarrier();
    }
    if (depth > 0u) {
        return;
    }
#endif
    store(upper_row, left_col, l0);
    store(upper_row, right_col, r0);
    store(upper_row + 1u, left_col, l1);
    store(upper_row + 1u, right_col, r1);
    store(upper_row + 2u, left_col, l2);
    store(upper_row + 2u, right_col, r2);
    store(upper_row + 3u, left_col, l3);
    store(upper_row + 3u, right_col, r3);
#ifdef ROWS_8
    store(lower_row, left_col, l4);
    store(lower_row, right_col, r4);
    store(lower_row + 1u, left_col, l5);
    store(lower_row + 1u, right_col, r5);
    store(lower_row + 2u, left_col, l6);
    store(lower_row + 2u, right_col, r6);
    store(lower_row + 3u, left_col, l7);
    store(lower_row + 3u, right_col, r7);
#endif
}
