import JSONValue
import WorkflowModel

/// Writes all contacts of a project, in pieces, out of pages: memory stays the same however many there are. Each page is
/// read as it is then; contacts made meanwhile come at the end.
package struct ContactExport: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        /// One row for each: id, email, subscribed, createdAt, updatedAt, then every key of the data that a contact has.
        case csv
        /// A list of objects.
        case json
    }

    package let context: EngineContext
    package let projectID: Identifier
    package let format: Format
    /// Puts an apostrophe before texts that a spreadsheet would take for formulas.
    package var guardsFormulas = true

    private static let pageLimit = 500
    /// Columns of data. Keys found after so many are left out of CSV; JSON has all.
    package static let columnLimit = 1000
    private static let ownColumns = ["id", "email", "subscribed", "createdAt", "updatedAt"]

    package init(context: EngineContext, projectID: Identifier, format: Format, guardsFormulas: Bool = true) {
        self.context = context
        self.projectID = projectID
        self.format = format
        self.guardsFormulas = guardsFormulas
    }

    package func write(to sink: ([UInt8]) async throws -> Void) async throws {
        switch format {
        case .csv: try await writeCSV(to: sink)
        case .json: try await writeJSON(to: sink)
        }
    }

    private func pages(_ body: ([Contact]) async throws -> Void) async throws {
        var last: Identifier?
        let projectID = projectID
        while true {
            let after = last
            let contacts = try await context.store.read {
                try $0.contacts(in: projectID, after: after, limit: Self.pageLimit)
            }
            try await body(contacts)
            guard contacts.count == Self.pageLimit, let end = contacts.last else { return }
            last = end.id
        }
    }

    private func writeJSON(to sink: ([UInt8]) async throws -> Void) async throws {
        var separator: [UInt8] = Array("[\n".utf8)
        try await pages { contacts in
            var bytes: [UInt8] = []
            for contact in contacts {
                bytes += separator
                separator = Array(",\n".utf8)
                bytes += JSONWriter.bytes(contact.json)
            }
            if !bytes.isEmpty { try await sink(bytes) }
        }
        // An empty list has not been opened yet.
        try await sink(separator.first == UInt8(ascii: "[") ? Array("[]\n".utf8) : Array("\n]\n".utf8))
    }

    private func writeCSV(to sink: ([UInt8]) async throws -> Void) async throws {
        // The header comes first, so all keys must be known before the first row.
        let keys = try await keys()
        var writer = CSVWriter()
        writer.append(Self.ownColumns + keys.map { cell(Self.columnName($0)) })
        try await sink(writer.take())
        try await pages { contacts in
            for contact in contacts {
                var cells = [
                    "\(contact.id)", cell(contact.email), contact.isSubscribed ? "true" : "false",
                    "\(contact.createdAt)", "\(contact.updatedAt)",
                ]
                for key in keys { cells.append(contact.data[key].map(cell) ?? "") }
                writer.append(cells)
            }
            if !contacts.isEmpty { try await sink(writer.take()) }
        }
    }

    /// In the order in which they are found.
    private func keys() async throws -> [String] {
        var keys: [String] = []
        var seen: Set<String> = []
        try await pages { contacts in
            for contact in contacts {
                for key in contact.data.keys where keys.count < Self.columnLimit && seen.insert(key).inserted {
                    keys.append(key)
                }
            }
        }
        return keys
    }

    /// Keys that are called like a column of ours bear the word that says what they are.
    private static func columnName(_ key: String) -> String {
        let isTaken = ownColumns.contains { $0.lowercased() == key.lowercased() }
        return isTaken || key.hasPrefix("data.") ? "data.\(key)" : key
    }

    private func cell(_ text: String) -> String { guardsFormulas ? FormulaGuard.guarded(text) : text }

    private func cell(_ value: JSON) -> String {
        switch value {
        case .string(let text): cell(text)
        case .null: ""
        default: JSONWriter.write(value)
        }
    }
}

extension Contact {
    /// As the API shows it.
    package var json: JSON {
        [
            "id": .string("\(id)"), "email": .string(email), "subscribed": .bool(isSubscribed),
            "data": .object(data), "createdAt": .string("\(createdAt)"), "updatedAt": .string("\(updatedAt)"),
        ]
    }
}
