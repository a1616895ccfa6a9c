import Engine
import GRDB
import GRDBSQLite
import JSONValue
import WorkflowModel

/// The store's operations on one database connection; facets by subject are in the extensions. Lives within one
/// transaction.
final class SQLSession {
    private let database: Database
    private let statements: PreparedStatements
    /// What this transaction has already read and what only it can change meanwhile. Forgotten when work is undone.
    var memory = Memory()
    private var isOverwriting = false
    /// Changes of counts that the commit has yet to write.
    var tally = ExecutionTally()
    /// What the commit has yet to write into the journal of contacts.
    var journal = HistoryJournal()

    struct Memory {
        var catalogVersion: Int64?
        /// The contact last read or written.
        var contact: Contact?
        /// Versions known to have executions.
        var usedVersions: Set<Identifier> = []
        /// The execution last read or written, as the database has it.
        var execution: KnownExecution?
        /// Projects in which no address is kept as suppressed by its hash: every mail on its way out asks.
        var withoutSuppressedAddresses: Set<Identifier> = []
        /// Whether the contact that was last asked for its waits has any: one change of it brings many events.
        var waits: (contact: Identifier, areThere: Bool)?
        /// The block of contacts last asked for.
        var block: ContactBlock?
        /// Names of events whose past is still to be found.
        var unfinishedNames: Set<String>?
    }

    /// - Parameter statements: those of this connection.
    init(_ database: Database, statements: PreparedStatements = PreparedStatements()) {
        self.database = database
        self.statements = statements
    }

    deinit { if isOverwriting { try? database.execute(sql: "PRAGMA secure_delete = FAST") } }

    /// Rows changed by the last statement.
    var changeCount: Int { Int(sqlite3_changes(database.sqliteConnection)) }

    /// Runs a statement that returns no rows.
    func run<each Value: SQLValue>(_ sql: StaticString, _ arguments: repeat (each Value)?) throws {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        while try statement.step() {}
    }

    /// The rows of a query, each decoded while it is current.
    func rows<each Value: SQLValue, Decoded>(
        _ sql: StaticString, _ arguments: repeat (each Value)?, decode: (SQLRow) throws -> Decoded
    ) throws -> [Decoded] {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        var values: [Decoded] = []
        while try statement.step() { values.append(try decode(SQLRow(statement))) }
        return values
    }

    /// The first row of a query; nil when there is none.
    func first<each Value: SQLValue, Decoded>(
        _ sql: StaticString, _ arguments: repeat (each Value)?, decode: (SQLRow) throws -> Decoded
    ) throws -> Decoded? {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        return try statement.step() ? try decode(SQLRow(statement)) : nil
    }

    /// What `decode` makes of the first row of a query that it makes something of; nil when there is none.
    func firstDecoded<each Value: SQLValue, Decoded>(
        _ sql: StaticString, _ arguments: repeat (each Value)?, decode: (SQLRow) throws -> Decoded?
    ) throws -> Decoded? {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        while try statement.step() {
            if let value = try decode(SQLRow(statement)) { return value }
        }
        return nil
    }

    /// Runs a statement that has no parameters and returns no rows.
    func run(_ sql: StaticString) throws {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        while try statement.step() {}
    }

    // MARK: Statements of the inner loops
    //
    // Packs of parameters are bound through metadata that is looked up at run time, 50 ns for each value. What runs for
    // every event says how it is bound instead.

    /// Runs a statement that returns no rows.
    func run(_ sql: StaticString, binding bind: (inout SQLParameters) -> Void) throws {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(bind)
        while try statement.step() {}
    }

    /// The rows of a query, each decoded while it is current.
    func rows<Decoded>(
        _ sql: StaticString, binding bind: (inout SQLParameters) -> Void, decode: (SQLRow) throws -> Decoded
    ) throws -> [Decoded] {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(bind)
        var values: [Decoded] = []
        while try statement.step() { values.append(try decode(SQLRow(statement))) }
        return values
    }

    /// The first row of a query; nil when there is none.
    func first<Decoded>(
        _ sql: StaticString, binding bind: (inout SQLParameters) -> Void, decode: (SQLRow) throws -> Decoded
    ) throws -> Decoded? {
        let statement = try statements.statement(sql, on: database)
        defer { statement.reset() }
        try statement.bind(bind)
        return try statement.step() ? try decode(SQLRow(statement)) : nil
    }

    /// Runs one statement for each of many elements.
    func run<Element>(
        _ sql: StaticString, for elements: [Element], binding bind: (inout SQLParameters, Element) -> Void
    ) throws {
        let statement = try statements.statement(sql, on: database)
        for element in elements {
            defer { statement.reset() }
            try statement.bind { bind(&$0, element) }
            while try statement.step() {}
        }
    }

    /// The rows of a query that is made at run time, and therefore prepared for this once.
    func rows<Decoded>(_ query: SQLText, decode: (SQLRow) throws -> Decoded) throws -> [Decoded] {
        let statement = SQLStatement(try database.makeStatement(sql: query.text))
        defer { statement.reset() }
        try statement.bind(query.values)
        var values: [Decoded] = []
        while try statement.step() { values.append(try decode(SQLRow(statement))) }
        return values
    }

    /// Whole pages that the transaction gives up from now on are overwritten, too. The setting is the connection's and works
    /// at once; it is taken back once for the whole transaction, because to set it costs a third of what an erasure costs.
    func overwriteWhatIsDeleted() throws {
        guard !isOverwriting else { return }
        try database.execute(sql: "PRAGMA secure_delete = ON")
        isOverwriting = true
    }

    /// Has SQLite ask after every thousand steps whether the time has passed (sqlite.org/c3ref/progress_handler.html).
    func within<Value>(_ limit: Duration, _ body: () throws -> Value) throws -> Value {
        guard let connection = database.sqliteConnection else { return try body() }
        var deadline = ContinuousClock.now + limit
        return try withUnsafeMutablePointer(to: &deadline) { deadline in
            sqlite3_progress_handler(
                connection, 1000,
                { pointer in
                    guard let pointer else { return 0 }
                    let deadline = pointer.assumingMemoryBound(to: ContinuousClock.Instant.self).pointee
                    return ContinuousClock.now >= deadline ? 1 : 0
                }, deadline)
            defer { sqlite3_progress_handler(connection, 0, nil, nil) }
            do {
                return try body()
            } catch let error as DatabaseError
                where error.resultCode == .SQLITE_INTERRUPT && ContinuousClock.now >= deadline.pointee
            {
                throw StoreError(.tooSlow, "the database took longer than \(limit)")
            }
        }
    }

    // MARK: Savepoints

    /// Runs `body` so that its error undoes its own work alone.
    /// - Returns: the error of `body`.
    /// - Throws: `body`'s error when SQLite has undone the whole transaction because of it, or what SQLite says.
    func nested(_ body: () -> (any Error)?) throws -> (any Error)? {
        try run("SAVEPOINT job")
        let tally = tally
        let journal = journal
        let error = body()
        if let error {
            memory = Memory()
            self.tally = tally
            self.journal = journal
            guard database.isInsideTransaction else { throw error }
            try run("ROLLBACK TO job")
        }
        try run("RELEASE job")
        return error
    }
}

/// The statements of one connection that were used before, found by the address of their text: a literal of the program
/// has one for as long as it runs. For one thread at a time.
final class PreparedStatements {
    private var known: [UnsafeRawPointer: SQLStatement] = [:]

    func statement(_ sql: StaticString, on database: Database) throws -> SQLStatement {
        let address = UnsafeRawPointer(sql.utf8Start)
        if let statement = known[address] { return statement }
        let statement = SQLStatement(try database.cachedStatement(sql: sql.description))
        known[address] = statement
        return statement
    }

    /// To be called before the connection is closed, which fails while somebody keeps statements.
    func removeAll() { known = [:] }
}

extension SQLRow {
    /// A column that is stored as one of a closed list of texts.
    /// - Throws: `StoreError.damaged` for a text that is none of them.
    func decoded<Value: RawRepresentable>(_ column: Int, as type: Value.Type) throws -> Value
    where Value.RawValue == String {
        let text: String = self[column]
        guard let value = Value(rawValue: text) else {
            throw StoreError(.damaged, "the database holds an unknown \(type): \(text)")
        }
        return value
    }

    /// Far beyond what is accepted from outside, because what we store wraps it.
    static let depthLimit = 512

    /// A column of JSON text; null is null.
    /// - Throws: `StoreError.damaged` for text that is no JSON.
    func json(_ column: Int) throws -> JSON {
        // Bytes that are no UTF-8 are what only the string makes sense of.
        if let value = withText(column, { try? JSONParser.parse($0, depthLimit: Self.depthLimit) }) { return value }
        guard let text: String = self[column] else { return .null }
        do {
            return try JSONParser.parse(text, depthLimit: Self.depthLimit)
        } catch {
            throw StoreError(.damaged, "the database holds text that is no JSON: \(error)")
        }
    }

    func object(_ column: Int) throws -> JSONObject { try json(column).objectValue ?? [:] }
}

extension JSONObject {
    /// JSON text; nil for an empty object where the column may be null.
    var textOrNil: String? { isEmpty ? nil : JSONWriter.write(.object(self)) }
    var text: String { JSONWriter.write(.object(self)) }
}
