import JSONValue
import WorkflowModel

/// What the columns of an imported file mean, and how its cells are read.
package struct ImportPlan: Hashable, Sendable {
    package enum Column: Hashable, Sendable {
        case email
        case subscribed
        /// A key of the contact's data.
        case data(String)
        /// Nothing: a column without a name, or one that is ours to fill.
        case ignored
    }

    /// How the client wants its file read.
    package struct Options: Hashable, Sendable {
        /// Cells that are numbers, true, false, lists or objects as JSON writes them become such; otherwise all are texts.
        package var isTyped = false
        /// Events are recorded and start workflows, as with any other change.
        package var recordsEvents = true
        package var separator = Separator.comma

        package init() {}
    }

    /// The raw values are what clients write.
    package enum Separator: String, Hashable, Sendable, CaseIterable {
        case comma, semicolon, tab

        var byte: UInt8 {
            switch self {
            case .comma: UInt8(ascii: ",")
            case .semicolon: UInt8(ascii: ";")
            case .tab: 0x09
            }
        }
    }

    package var header: [String]
    package var columns: [Column]
    package var options: Options

    /// Names of the columns that are left out.
    package var ignored: [String] { zip(header, columns).filter { $0.1 == .ignored && !$0.0.isEmpty }.map(\.0) }

    /// Ours to fill; an exported file has them.
    private static let filled: Set<String> = ["id", "createdAt", "updatedAt"]
    /// An exported file can be imported again: it has five columns of ours before those of the data.
    private static let columnLimit = ContactExport.columnLimit + 5

    /// - Throws: `UseCaseError.invalid` with everything that is wrong with the header.
    package init(header cells: [String], options: Options) throws {
        self.options = options
        header = cells.map { FormulaGuard.unguarded($0.strippedOfBlanks) }
        var problems: [WorkflowProblem] = []
        func report(_ index: Int, _ message: String) {
            problems.append(.init(path: "header.\(index + 1)", message: message))
        }
        if cells.count > Self.columnLimit {
            problems.append(.init(path: "header", message: "must not have more than \(Self.columnLimit) columns"))
        }
        var seen: Set<Column> = []
        columns = []
        for (index, name) in header.prefix(Self.columnLimit).enumerated() {
            let column = Self.column(name)
            if case .data(let key) = column, Contact.reservedKeys.contains(key) {
                report(index, "\(key) is a word of ours: rename the column")
            }
            if column != .ignored, !seen.insert(column).inserted {
                report(index, "\(name.prefix(100)) stands there twice: rename or remove one")
            }
            columns.append(column)
        }
        if !columns.contains(.email) {
            var message = "there must be a column email"
            if cells.count == 1, let other = Self.separator(in: cells[0]), other != options.separator {
                message += "; this looks like separator=\(other.rawValue)"
            }
            problems.append(.init(path: "header", message: message))
        }
        guard problems.isEmpty else { throw UseCaseError(.invalid, "the header has errors", problems: problems) }
    }

    private static func column(_ name: String) -> Column {
        if name.isEmpty || filled.contains(name) { return .ignored }
        switch name.lowercased() {
        case "email": return .email
        case "subscribed": return .subscribed
        default: return .data(name.hasPrefix("data.") && name.utf8.count > 5 ? String(name.dropFirst(5)) : name)
        }
    }

    private static func separator(in text: String) -> Separator? {
        Separator.allCases.first { text.utf8.contains($0.byte) }
    }

    // MARK: Rows

    /// A row that can be applied.
    struct Entry: Hashable, Sendable {
        var email: String
        var subscribed: Bool?
        var data: JSONObject
        /// What the cells of values were that are no texts now.
        var texts: [String: String] = [:]

        /// A key that is a text already stays one: digits may well be no number, as those of a postcode.
        func data(for contact: Contact) -> JSONObject {
            guard !texts.isEmpty else { return data }
            var data = data
            for (key, text) in texts where contact.data[key]?.stringValue != nil { data[key] = .string(text) }
            return data
        }
    }

    enum Reading: Hashable, Sendable {
        case entry(Entry)
        case fault(ContactJob.RowError)
    }

    func read(_ row: CSVReader.Row) -> Reading {
        func fault(_ column: Int?, _ rule: ContactJob.RowError.Rule, _ message: String) -> Reading {
            .fault(.init(row: row.number, column: column.map { String(header[$0].prefix(100)) }, rule, message))
        }
        switch row.fault {
        case .encoding?: return fault(nil, .encoding, "is not UTF-8")
        case .quote?: return fault(nil, .quote, "has a quote that nothing closes, or text behind a closing one")
        case .tooLong?:
            return fault(nil, .tooLong, "is longer than \(CSVReader.rowLimit) bytes or \(CSVReader.cellLimit) cells")
        case nil: break
        }
        guard row.cells.count == columns.count else {
            return fault(nil, .ragged, "has \(row.cells.count) cells, and the header has \(columns.count)")
        }
        var entry = Entry(email: "", data: [:])
        for (index, cell) in row.cells.enumerated() {
            switch columns[index] {
            case .ignored: break
            case .email:
                guard let address = AddressText.accepted(FormulaGuard.unguarded(cell)) else {
                    return fault(index, .email, cell.isEmpty ? "is missing" : "is no mail address")
                }
                entry.email = AddressText.normal(address)
            case .subscribed:
                if cell.isEmpty { break }
                guard let flag = Self.flag(cell) else { return fault(index, .subscribed, "must be true or false") }
                entry.subscribed = flag
            case .data(let key):
                // As everywhere, an empty text says nothing about a key.
                guard !cell.isEmpty else { break }
                let value = value(cell, of: key)
                if value.stringValue == nil { entry.texts[key] = cell }
                entry.data[key] = value
            }
        }
        return .entry(entry)
    }

    private static func flag(_ cell: String) -> Bool? {
        switch cell.strippedOfBlanks.lowercased() {
        case "true", "yes", "1": true
        case "false", "no", "0": false
        default: nil
        }
    }

    private func value(_ cell: String, of key: String) -> JSON {
        let text = FormulaGuard.unguarded(cell)
        // What was guarded was a text. `locale` always is.
        guard options.isTyped, text == cell, key != Contact.localeKey, let first = cell.utf8.first else {
            return .string(text)
        }
        switch first {
        case UInt8(ascii: "t") where cell == "true": return true
        case UInt8(ascii: "f") where cell == "false": return false
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "["), UInt8(ascii: "{"):
            return (try? JSONParser.parse(cell, depthLimit: Contact.depthLimit)) ?? .string(cell)
        default: return .string(cell)
        }
    }

    // MARK: JSON

    var json: JSONObject {
        [
            "header": .array(header.map { .string($0) }), "typed": .bool(options.isTyped),
            "events": .bool(options.recordsEvents), "separator": .string(options.separator.rawValue),
        ]
    }

    /// - Throws: `StoreError.damaged`.
    package init(json: JSONObject) throws {
        var options = Options()
        options.isTyped = json["typed"]?.boolValue ?? false
        options.recordsEvents = json["events"]?.boolValue ?? true
        options.separator = json["separator"]?.stringValue.flatMap(Separator.init) ?? .comma
        do {
            // What was read of a header is not read again as one: it may begin with an apostrophe of its own.
            let header = (json["header"]?.arrayValue ?? []).compactMap(\.stringValue).map(FormulaGuard.guarded)
            try self.init(header: header, options: options)
        } catch {
            throw StoreError(.damaged, "the plan of an import cannot be read: \(error)")
        }
    }
}
