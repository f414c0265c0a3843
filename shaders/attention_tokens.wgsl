// Puts segment and position of every query, and behind them those of every key, into one buffer: the kernels of
// attention have no binding to spare.

struct Params {
    first: u32,
    count: u32,   // queries and keys
    queries: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> tokens: array<vec2i>;
@group(0) @binding(2) var<storage, read> query_segments: array<i32>;
@group(0) @binding(3) var<storage, read> query_positions: array<i32>;
@group(0) @binding(4) var<storage, read> key_segments: array<i32>;
@group(0) @binding(5) var<storage, read> key_positions: array<i32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = p.first + id.x;
    if (i >= p.count) {
        return;
    }
    if (i < p.queries) {
        tokens[i] = vec2i(query_segments[i], query_positions[i]);
    } else {
        tokens[i] = vec2i(key_segments[i - p.queries], key_positions[i - p.queries]);
    }
}
