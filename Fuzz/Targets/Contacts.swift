import FuzzKit
import JSONValue
import WorkflowModel

@testable import Engine

/// A file of contacts: however it is cut into pieces, the rows are the same; each begins where the one before ended; and
/// what is written of them is read back.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzContacts(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let bytes = input.bytes()
    let rows = read(bytes, by: bytes.count)
    expect(read(bytes, by: 1) == rows, "pieces make no difference")
    var end = 0
    for row in rows {
        expect(row.end > end && row.end <= bytes.count, "rows follow each other")
        end = row.end
        expect(row.fault == nil || row.cells.isEmpty, "a faulty row has no cells")
    }
    if let middle = rows.dropFirst(rows.count / 2).first {
        var reader = CSVReader(offset: middle.end, number: middle.number)
        var tail = reader.read(bytes[middle.end...])
        if let last = reader.finish() { tail.append(last) }
        expect(tail == rows.filter { $0.number > middle.number }, "a row is a place to go on from")
    }
    let sound = rows.filter { $0.fault == nil }
    var writer = CSVWriter()
    for row in sound { writer.append(row.cells) }
    expect(
        read(writer.take(), by: 7).map { $0.cells.map { Array($0.utf8) } }
            == sound.map { $0.cells.map { Array($0.utf8) } }, "what is written is read back")
    for cell in sound.flatMap(\.cells) {
        expect(FormulaGuard.unguarded(FormulaGuard.guarded(cell)) == cell, "a guard is taken away again")
    }
    plan(sound, bytes)
    return 0
}

private func read(_ bytes: [UInt8], by step: Int) -> [CSVReader.Row] {
    var reader = CSVReader()
    var rows: [CSVReader.Row] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        rows += reader.read(rest.prefix(step))
        rest = rest.dropFirst(step)
    }
    if let last = reader.finish() { rows.append(last) }
    return rows
}

/// The first row as a header, and the others under it.
private func plan(_ rows: [CSVReader.Row], _ bytes: [UInt8]) {
    var options = ImportPlan.Options()
    options.isTyped = bytes.count % 2 == 1
    guard let header = rows.first, let plan = try? ImportPlan(header: header.cells, options: options) else { return }
    expect((try? ImportPlan(json: plan.json)) == plan, "a plan comes back from the database")
    for row in rows.dropFirst() {
        guard case .entry(let entry) = plan.read(row) else { continue }
        expect(AddressText.accepted(entry.email) == entry.email, "an entry has an address")
        expect(Contact.reservedKeys.isDisjoint(with: entry.data.keys), "no word of ours is data")
    }
}
