import Engine
import EngineTestKit
import Testing

@Suite struct CSVTests {
    private func rows(_ text: String, separator: UInt8 = UInt8(ascii: ",")) -> [CSVReader.Row] {
        var reader = CSVReader(separator: separator)
        var rows = reader.read(Array(text.utf8))
        if let last = reader.finish() { rows.append(last) }
        return rows
    }

    private func cells(_ text: String) -> [[String]] { rows(text).map(\.cells) }

    @Test(arguments: ["\r\n", "\n", "\r"])
    func lineEndsOfEveryKindEndRows(end: String) {
        #expect(cells("a,b\(end)c,d\(end)") == [["a", "b"], ["c", "d"]])
        #expect(cells("a,b\(end)c,d") == [["a", "b"], ["c", "d"]])
    }

    @Test func quotesKeepSeparatorsQuotesAndLineEnds() {
        #expect(cells("\"a,b\",\"c \"\"d\"\"\",\"e\r\nf\"\n") == [["a,b", "c \"d\"", "e\r\nf"]])
        #expect(cells("\"\",\"\"\n") == [["", ""]])
        #expect(cells("5\" disk,b\n") == [["5\" disk", "b"]])
    }

    @Test func emptyCellsAreCellsAndBlankLinesAreNoRows() {
        #expect(cells(",\n\n\r\na\n\"\"\n") == [["", ""], ["a"], [""]])
        #expect(cells("a,") == [["a", ""]])
        #expect(cells("") == [])
        #expect(cells("\n") == [])
    }

    @Test func rowsAreNumberedWithBlankLinesAndEndAfterTheirLineEnds() {
        let rows = rows("a\r\n\nb\rc")
        #expect(rows.map(\.number) == [1, 3, 4])
        #expect(rows.map(\.end) == [3, 6, 7])
    }

    @Test func byteOrderMarkIsTakenAway() {
        #expect(cells("\u{FEFF}a,b\n\u{FEFF}c,d\n") == [["a", "b"], ["\u{FEFF}c", "d"]])
        var reader = CSVReader()
        #expect(reader.read([0xEF, 0xBB, 0x41, 0x0A]).map(\.fault) == [.encoding])
        var half = CSVReader()
        #expect(half.read([0xEF]).isEmpty && half.finish()?.fault == .encoding)
    }

    @Test func otherSeparators() {
        #expect(rows("a;b,c\n", separator: UInt8(ascii: ";")).map(\.cells) == [["a", "b,c"]])
        #expect(rows("a\tb\n", separator: 0x09).map(\.cells) == [["a", "b"]])
    }

    @Test func faultyRowsAreToldAndTheNextOnesAreRead() {
        let rows = rows("\"a\"b,c\nd,e\n")
        #expect(rows.map(\.fault) == [.quote, nil])
        #expect(rows.map(\.cells) == [[], ["d", "e"]])
        #expect(self.rows("a\n\"b,c\nd").map(\.fault) == [nil, .quote])
        var reader = CSVReader()
        #expect(reader.read([0x61, 0xFF, 0x0A, 0x62, 0x0A]).map(\.fault) == [.encoding, nil])
    }

    @Test func rowsThatAreTooLongAreToldAndNotKept() {
        let long = String(repeating: "x", count: CSVReader.rowLimit + 1)
        #expect(rows("\(long)\na\n").map(\.fault) == [.tooLong, nil])
        let many = String(repeating: ",", count: CSVReader.cellLimit)
        #expect(rows("\(many)\na\n").map(\.fault) == [.tooLong, nil])
        #expect(rows("\(many.dropLast())\na\n").map(\.fault) == [nil, nil])
    }

    /// Whatever is written is read back, however the bytes are cut into pieces, and from every row's end on.
    @Test func whatIsWrittenIsReadBack() {
        var random = SeededGenerator(seed: 4)
        let alphabet = ["a", "ü", ",", "\"", "\n", "\r", "\r\n", " ", "'", "=", "😀", "\t", ";", "\u{FEFF}", "\u{301}"]
        for _ in 0..<500 {
            let width = Int.random(in: 1...4, using: &random)
            let table = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                (0..<width).map { _ in
                    (0..<Int.random(in: 0...5, using: &random)).map { _ in
                        alphabet.randomElement(using: &random) ?? ""
                    }.joined()
                }
            }
            var writer = CSVWriter()
            for row in table { writer.append(row) }
            let bytes = writer.take()
            var reader = CSVReader()
            var read: [CSVReader.Row] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...7, using: &random)
                read += reader.read(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            if let last = reader.finish() { read.append(last) }
            // Characters that look alike are not the same text here.
            #expect(read.map { $0.cells.map { Array($0.utf8) } } == table.map { $0.map { Array($0.utf8) } })
            guard let middle = read.randomElement(using: &random) else { continue }
            var again = CSVReader(offset: middle.end, number: middle.number)
            var tail = again.read(bytes[middle.end...])
            if let last = again.finish() { tail.append(last) }
            #expect(tail == Array(read.drop { $0.number <= middle.number }))
        }
    }

    @Test(arguments: ["=1+1", "+1", "-1", "@a", "\ta", "\rb", "'=1", "''-2"])
    func formulasAreGuardedAndComeBack(text: String) {
        #expect(FormulaGuard.guarded(text) == "'" + text)
        #expect(FormulaGuard.unguarded("'" + text) == text)
    }

    @Test(arguments: ["", "a", "'", "'a", "a=1", "''"])
    func otherTextIsLeftAlone(text: String) {
        #expect(FormulaGuard.guarded(text) == text)
        #expect(FormulaGuard.unguarded(text) == text)
    }
}
