import WorkflowModel

/// Where uploaded files of contacts lie until their jobs have ended. What was finished survives the machine.
package protocol ContactSpool: Sendable {
    /// Makes an empty file.
    /// - Throws: `StoreError`.
    func make(_ id: Identifier) throws -> any ContactSpoolSink

    /// Up to `count` bytes from `offset` on; fewer at the end of the file alone.
    /// - Throws: `StoreError`: `damaged` when there is no such file; anything else passes.
    func read(_ id: Identifier, at offset: Int, count: Int) throws -> [UInt8]

    /// Does nothing when there is no such file.
    func remove(_ id: Identifier)

    /// Files that nobody has written to since then.
    func files(olderThan time: Timestamp) -> [Identifier]
}

/// A file on its way into the spool. For one writer.
package protocol ContactSpoolSink: Sendable {
    /// - Throws: `StoreError.full` when there is no space.
    func append(_ bytes: [UInt8]) throws

    /// Returns when everything is on the disk.
    func finish() async throws
}
