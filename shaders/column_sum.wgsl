// Sums over the rows of a matrix [rows, n], chunk rows at a time: row i of sums [parts, n] is that of chunk i. An
// invocation takes a column (four of them with VEC4) of a chunk.
//
// What is summed is dy; with SCALES, dy · x · scales[row]; with STATISTICS, dy · (x - mean) · scale of the row.

#import element

struct Params {
    first: u32,
    count: u32, // columns · parts
    n: u32,     // elements, or groups of four, of a row
    rows: u32,
    chunk: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<E>;
@group(0) @binding(2) var<storage, read> dy: array<E>;
#ifdef SCALES
@group(0) @binding(3) var<storage, read> x: array<E>;
@group(0) @binding(4) var<storage, read> scales: array<f32>;
#endif
#ifdef STATISTICS
@group(0) @binding(3) var<storage, read> x: array<E>;
@group(0) @binding(4) var<storage, read> statistics: array<vec2f>; // mean and scale
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    let col = i % p.n;
    let from_row = i / p.n * p.chunk;
    let to_row = min(from_row + p.chunk, p.rows);
    var sum = E();
    for (var row = from_row; row < to_row; row++) {
        let at = row * p.n + col;
#ifdef SCALES
        sum += dy[at] * x[at] * scales[row];
#else
#ifdef STATISTICS
        sum += dy[at] * (x[at] - statistics[row].x) * statistics[row].y;
#else
        sum += dy[at];
#endif
#endif
    }
    sums[i] = sum;
}
