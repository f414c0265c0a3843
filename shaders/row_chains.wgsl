// Links rows of equal ids: after[i] is the next row with the id of row i, or rows where there is none; a row that is the
// first with its id has first_row[i] = 1. Negative ids are the first of nothing.
//
// One workgroup takes BLOCK rows after the other. Within a block rows are compared with each other; last[id] is the last row
// with that id in the blocks before. It needs no clearing: what it holds for an id counts only if it names a row before the
// block that has this id, and then such a row has been here and has written it.

struct Params {
    first: u32,
    count: u32,
    rows: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> first_row: array<u32>;
@group(0) @binding(2) var<storage, read_write> after: array<u32>;
@group(0) @binding(3) var<storage, read_write> last: array<u32>;
@group(0) @binding(4) var<storage, read> ids: array<i32>;

var<workgroup> block: array<i32, BLOCK>;

@compute @workgroup_size(BLOCK)
fn main(@builtin(local_invocation_index) at: u32) {
    for (var start = 0u; start < p.rows; start += BLOCK) {
        let i = start + at;
        let mine = select(-1, ids[min(i, p.rows - 1u)], i < p.rows);
        block[at] = mine;
        workgroupBarrier();
        var leads = mine >= 0;
        for (var j = 0u; j < at; j++) {
            leads = leads && block[j] != mine;
        }
        var next = at + 1u;
        while (next < BLOCK && block[next] != mine) {
            next++;
        }
        var before = p.rows;
        if (leads) {
            let row = last[mine];
            if (row < start && ids[row] == mine) {
                before = row;
                leads = false;
            }
        }
        storageBarrier(); // all have read last; what the blocks before wrote to after is there
        if (i < p.rows) {
            first_row[i] = select(0u, 1u, leads);
            after[i] = select(start + next, p.rows, next == BLOCK);
            if (mine >= 0 && next == BLOCK) {
                last[mine] = i;
            }
            if (before < p.rows) {
                after[before] = i;
            }
        }
        storageBarrier();
        workgroupBarrier();
    }
}
