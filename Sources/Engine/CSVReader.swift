/// Cuts CSV (RFC 4180) into rows as its bytes come in, in pieces of any size, and keeps no more than one row.
///
/// It stands here and not in a room of its own: contacts are all that comes as CSV, and beside bytes and texts it knows
/// nothing. What it takes beyond the RFC: line ends of LF or CR alone, a byte order mark, quotes in the middle of a cell
/// that did not begin with one, and blank lines, which are no rows.
///
///     state          quote          separator   line end        any other byte
///     cellStart      quoted         cell        row             unquoted
///     unquoted       (kept)         cell        row             (kept)
///     quoted         quoteInQuoted  (kept)      (kept)          (kept)
///     quoteInQuoted  quoted, "      cell        row             unquoted, the row is faulty
package struct CSVReader: Sendable {
    /// Why a row cannot be used.
    package enum Fault: String, Hashable, Sendable {
        /// Text that is no UTF-8.
        case encoding
        /// A quote that nothing closes, or text behind a closing one.
        case quote
        /// Too many bytes or cells for one row.
        case tooLong
    }

    package struct Row: Hashable, Sendable {
        /// Counted from 1, blank lines and the header included.
        package var number: Int
        /// Empty where `fault` says why.
        package var cells: [String]
        /// The offset of the byte after its line end.
        package var end: Int
        package var fault: Fault?
        /// Lines that stand between the quotes of a row with a fault: most probably rows of their own, which a stray quote
        /// has taken in.
        package var swallowed: Int

        package init(number: Int, cells: [String], end: Int, fault: Fault? = nil, swallowed: Int = 0) {
            self.number = number
            self.cells = cells
            self.end = end
            self.fault = fault
            self.swallowed = swallowed
        }
    }

    /// Bytes, and cells, of one row.
    package static let rowLimit = 1 << 20
    package static let cellLimit = 4096

    private enum State: Sendable { case cellStart, unquoted, quoted, quoteInQuoted }

    private let separator: UInt8
    private var state = State.cellStart
    private var cell: [UInt8] = []
    private var cells: [String] = []
    private var fault: Fault?
    private var hasQuote = false
    private var swallowed = 0
    private var isAfterQuotedLine = false
    /// The row has ended with a CR, and an LF may follow.
    private var isAfterCR = false
    private var rowBytes = 0
    private var offset: Int
    private var number: Int
    /// Bytes of a byte order mark seen so far; nil when none can come any more.
    private var markBytes: Int?

    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// - Parameters:
    ///   - offset: where in the file the first byte stands that will be read: a row begins there.
    ///   - number: of the row before.
    package init(separator: UInt8 = UInt8(ascii: ","), offset: Int = 0, number: Int = 0) {
        self.separator = separator
        self.offset = offset
        self.number = number
        markBytes = offset == 0 ? 0 : nil
    }

    /// Takes the next bytes.
    /// - Returns: the rows that are complete by them.
    package mutating func read(_ bytes: some Sequence<UInt8>) -> [Row] {
        var rows: [Row] = []
        for byte in bytes { take(byte, &rows) }
        return rows
    }

    /// The last row, if there is one that no line end closes. To be called once, after all bytes.
    package mutating func finish() -> Row? {
        var rows: [Row] = []
        if let seen = markBytes {
            markBytes = nil
            offset -= seen
            for early in Self.mark[..<seen] { take(early, &rows) }
        }
        if isAfterCR {
            endRow(&rows)
        } else if state != .cellStart || !cells.isEmpty || !cell.isEmpty {
            if state == .quoted { fault = fault ?? .quote }
            endRow(&rows)
        }
        return rows.first
    }

    private mutating func take(_ byte: UInt8, _ rows: inout [Row]) {
        if let seen = markBytes {
            if byte == Self.mark[seen] {
                offset += 1
                markBytes = seen == 2 ? nil : seen + 1
                return
            }
            // Part of one is text that is no UTF-8.
            markBytes = nil
            offset -= seen
            for early in Self.mark[..<seen] { take(early, &rows) }
        }
        if isAfterCR {
            guard byte != UInt8(ascii: "\n") else {
                offset += 1
                return endRow(&rows)
            }
            endRow(&rows)
        }
        offset += 1
        rowBytes += 1
        switch state {
        case .cellStart, .unquoted: takeBare(byte, &rows)
        case .quoted:
            if isAfterQuotedLine { swallowed += 1 }
            isAfterQuotedLine = byte == UInt8(ascii: "\n")
            if byte == UInt8(ascii: "\"") { state = .quoteInQuoted } else { keep(byte) }
        case .quoteInQuoted:
            if byte == UInt8(ascii: "\"") {
                keep(byte)
                state = .quoted
            } else {
                takeBare(byte, &rows)
                if state == .unquoted { fault = fault ?? .quote }
            }
        }
    }

    private mutating func takeBare(_ byte: UInt8, _ rows: inout [Row]) {
        switch byte {
        case separator: endCell()
        case UInt8(ascii: "\n"): endRow(&rows)
        case UInt8(ascii: "\r"): isAfterCR = true
        case UInt8(ascii: "\"") where state == .cellStart:
            state = .quoted
            hasQuote = true
        default:
            keep(byte)
            state = .unquoted
        }
    }

    private mutating func keep(_ byte: UInt8) {
        guard rowBytes <= Self.rowLimit else {
            fault = .tooLong
            cell.removeAll()
            return
        }
        cell.append(byte)
    }

    private mutating func endCell() {
        state = .cellStart
        defer { cell.removeAll(keepingCapacity: true) }
        guard fault != .tooLong, cells.count < Self.cellLimit else {
            fault = .tooLong
            cells = []
            return
        }
        guard let text = String(validating: cell, as: UTF8.self) else {
            fault = fault ?? .encoding
            return cells.append("")
        }
        cells.append(text)
    }

    private mutating func endRow(_ rows: inout [Row]) {
        isAfterCR = false
        number += 1
        let isBlank = cells.isEmpty && cell.isEmpty && !hasQuote && fault == nil
        endCell()
        if !isBlank {
            rows.append(
                Row(
                    number: number, cells: fault == nil ? cells : [], end: offset, fault: fault,
                    swallowed: fault == nil ? 0 : swallowed))
        }
        cells = []
        fault = nil
        hasQuote = false
        swallowed = 0
        isAfterQuotedLine = false
        rowBytes = 0
    }
}
