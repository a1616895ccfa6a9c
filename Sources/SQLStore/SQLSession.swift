import Engine
import Foundation
import GRDB
import JSONValue
import WorkflowModel

/// The store's operations on one database connection; facets by subject are in the extensions. Lives within one
/// transaction.
final class SQLSession {
    let database: Database

    init(_ database: Database) { self.database = database }

    /// Runs a statement that returns no rows.
    func run(_ sql: String, _ arguments: (any DatabaseValueConvertible)?...) throws {
        let statement = try database.cachedStatement(sql: sql)
        statement.setUncheckedArguments(StatementArguments(arguments))
        try statement.execute()
    }

    /// The rows of a query, each decoded while it is current.
    func rows<Value>(
        _ sql: String, _ arguments: (any DatabaseValueConvertible)?..., decode: (Row) throws -> Value
    ) throws -> [Value] {
        let statement = try database.cachedStatement(sql: sql)
        let cursor = try Row.fetchCursor(statement, arguments: StatementArguments(arguments))
        var values: [Value] = []
        while let row = try cursor.next() { values.append(try decode(row)) }
        return values
    }

    /// The first row of a query; nil when there is none.
    func first<Value>(
        _ sql: String, _ arguments: (any DatabaseValueConvertible)?..., decode: (Row) throws -> Value
    ) throws -> Value? {
        let statement = try database.cachedStatement(sql: sql)
        let cursor = try Row.fetchCursor(statement, arguments: StatementArguments(arguments))
        guard let row = try cursor.next() else { return nil }
        return try decode(row)
    }
}

/// Ids are stored as their sixteen bytes.
extension Identifier: SQLExpressible {}
extension Identifier: StatementBinding {}
extension Identifier: DatabaseValueConvertible {
    package var databaseValue: DatabaseValue { Data(bytes).databaseValue }

    package static func fromDatabaseValue(_ value: DatabaseValue) -> Identifier? {
        Data.fromDatabaseValue(value).flatMap { Identifier(bytes: $0) }
    }
}

/// Times are stored as microseconds UTC.
extension Timestamp: SQLExpressible {}
extension Timestamp: StatementBinding {}
extension Timestamp: DatabaseValueConvertible {
    package var databaseValue: DatabaseValue { microseconds.databaseValue }

    package static func fromDatabaseValue(_ value: DatabaseValue) -> Timestamp? {
        Int64.fromDatabaseValue(value).map(Timestamp.init(microseconds:))
    }
}

extension Row {
    /// A column that is stored as one of a closed list of texts.
    /// - Throws: `StoreError.unusable` for a text that is none of them.
    func decoded<Value: RawRepresentable>(_ column: Int, as type: Value.Type) throws -> Value
    where Value.RawValue == String {
        let text: String = self[column]
        guard let value = Value(rawValue: text) else {
            throw StoreError(.unusable, "the database holds an unknown \(type): \(text)")
        }
        return value
    }

    /// A column of JSON text; null is null.
    /// - Throws: `StoreError.unusable` for text that is no JSON.
    func json(_ column: Int) throws -> JSON {
        guard let text: String = self[column] else { return .null }
        do {
            return try JSONParser.parse(text)
        } catch {
            throw StoreError(.unusable, "the database holds text that is no JSON: \(error)")
        }
    }

    func object(_ column: Int) throws -> JSONObject { try json(column).objectValue ?? [:] }
}

extension JSONObject {
    /// JSON text; nil for an empty object where the column may be null.
    var textOrNil: String? { isEmpty ? nil : JSONWriter.write(.object(self)) }
    var text: String { JSONWriter.write(.object(self)) }
}
