/// Writes rows of CSV (RFC 4180) that `CSVReader` reads back as they were.
package struct CSVWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Appends a row with its line end. A row has at least one cell.
    package mutating func append(_ cells: some Collection<String>) {
        // A lone empty cell would be a blank line, which is no row.
        let mustQuote = cells.count == 1 && cells.first?.isEmpty == true
        var isFirst = true
        for cell in cells {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            append(cell, quoted: mustQuote || Self.needsQuotes(cell))
        }
        bytes.append(contentsOf: [UInt8(ascii: "\r"), UInt8(ascii: "\n")])
    }

    /// - Returns: everything written so far, which is forgotten here.
    package mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    private mutating func append(_ cell: String, quoted: Bool) {
        guard quoted else { return bytes.append(contentsOf: cell.utf8) }
        bytes.append(UInt8(ascii: "\""))
        for byte in cell.utf8 {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func needsQuotes(_ cell: String) -> Bool {
        // Blanks at the ends are taken away by programs that show tables, a byte order mark at the start by ours.
        let edges = [cell.utf8.first, cell.utf8.last]
        return edges.contains(UInt8(ascii: " ")) || cell.unicodeScalars.first == "\u{FEFF}"
            || cell.utf8.contains {
                $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\n")
                    || $0 == UInt8(ascii: "\r")
            }
    }
}

/// Keeps spreadsheets from taking text for formulas (OWASP, "CSV Injection"): an apostrophe goes before it, and is taken
/// away again when the file is read.
package enum FormulaGuard {
    private static let starts: Set<UInt8> = [
        UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 0x09, 0x0D,
    ]
    private static let apostrophe = UInt8(ascii: "'")

    package static func guarded(_ text: String) -> String { isRisky(text.utf8) ? "'" + text : text }

    package static func unguarded(_ text: String) -> String {
        text.utf8.first == apostrophe && isRisky(text.utf8.dropFirst()) ? String(text.dropFirst()) : text
    }

    /// Also one that looks guarded, so that taking the apostrophe away is the exact reverse.
    private static func isRisky(_ bytes: some Sequence<UInt8>) -> Bool {
        for byte in bytes where byte != apostrophe { return starts.contains(byte) }
        return false
    }
}
