import JSONValue
import WorkflowModel

/// A list of suppressions as a file of CSV (RFC 4180), with a header.
///
/// Columns are found by their names; `email` must be there. What we write is `email,reason,created_at,expires_at,note`, and
/// reading it back gives the same list.
package enum SuppressionFile {
    /// Bytes of a file that is read.
    package static let sizeLimit = 64 << 20
    private static let columns = ["email", "reason", "created_at", "expires_at", "note"]
    /// Under which further names the columns are known elsewhere.
    private static let aliases = ["address": "email", "created": "created_at", "createdat": "created_at"]

    /// A row that cannot be used.
    package struct Problem: Hashable, Sendable {
        package var row: Int
        package var message: String
    }

    package struct Content: Sendable {
        package var additions: [Suppressions.Addition]
        package var problems: [Problem]
    }

    /// - Parameter reason: of rows that name none.
    /// - Throws: `UseCaseError.invalid` for a file without the column `email`.
    package static func read(
        _ bytes: some Sequence<UInt8>, reason: Suppression.Reason = .manual
    ) throws -> Content {
        var reader = CSVReader()
        var rows = reader.read(bytes)
        if let last = reader.finish() { rows.append(last) }
        guard let header = rows.first, header.fault == nil else {
            throw UseCaseError(.invalid, "the file has no header")
        }
        let names = header.cells.map { cell in
            let name = cell.lowercased().filter { $0 != " " }
            return aliases[name] ?? name
        }
        guard let emailColumn = names.firstIndex(of: "email") else {
            throw UseCaseError(.invalid, "the header has no column email")
        }
        var content = Content(additions: [], problems: [])
        for row in rows.dropFirst() {
            func cell(_ name: String) -> String? {
                guard let column = names.firstIndex(of: name), column < row.cells.count else { return nil }
                return row.cells[column].isEmpty ? nil : row.cells[column]
            }
            do {
                if let fault = row.fault { throw UseCaseError(.invalid, "cannot be read: \(fault.rawValue)") }
                let text = emailColumn < row.cells.count ? row.cells[emailColumn] : ""
                guard let address = Suppressions.address(text) else {
                    throw UseCaseError(.invalid, "email is no mail address")
                }
                content.additions.append(
                    Suppressions.Addition(
                        address: address, reason: try self.reason(cell("reason")) ?? reason, note: cell("note"),
                        expiresAt: try time(cell("expires_at"), "expires_at"),
                        createdAt: try time(cell("created_at"), "created_at")))
            } catch let error as UseCaseError {
                content.problems.append(Problem(row: row.number, message: error.description))
            }
        }
        return content
    }

    private static func reason(_ text: String?) throws -> Suppression.Reason? {
        guard let text else { return nil }
        guard let reason = Suppression.Reason(rawValue: text.lowercased()) else {
            let known = Suppression.Reason.allCases.map(\.rawValue).joined(separator: ", ")
            throw UseCaseError(.invalid, "reason is none of \(known)")
        }
        return reason
    }

    private static func time(_ text: String?, _ column: String) throws -> Timestamp? {
        guard let text else { return nil }
        guard let time = Timestamp(dateText: text) else {
            throw UseCaseError(.invalid, "\(column) is no time as RFC 3339 writes it")
        }
        return time
    }

    // MARK: Writing

    package static func header() -> [UInt8] { line(columns) }

    package static func row(_ suppression: Suppression) -> [UInt8] {
        line([
            suppression.address, suppression.reason.rawValue, "\(suppression.createdAt)",
            suppression.expiresAt.map { "\($0)" } ?? "",
            suppression.evidence["note"]?.stringValue ?? suppression.evidence["diagnostic"]?.stringValue ?? "",
        ])
    }

    private static func line(_ cells: [String]) -> [UInt8] {
        var writer = CSVWriter()
        writer.append(cells)
        return writer.take()
    }
}
