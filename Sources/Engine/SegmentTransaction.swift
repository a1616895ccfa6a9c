import WorkflowModel

/// Finds contacts by a filter. The answer is that of `Filter.isSatisfied` for each.
package protocol ContactSearch: AnyObject {
    /// Those that satisfy the filter, in ascending order of ids. One whose data cannot be read satisfies nothing about
    /// its data.
    /// - Parameters:
    ///   - cursor: only those with a greater id.
    ///   - now: what spans of time are counted back from.
    func contacts(
        matching filter: Filter, in project: Identifier, after cursor: Identifier?, limit: Int, at now: Timestamp
    ) throws -> [Contact]
    func contactCount(matching filter: Filter, in project: Identifier, at now: Timestamp) throws -> Int
}

/// The store's operations on segments and their members, inside one write transaction.
package protocol SegmentTransaction: ContactSearch {
}

/// Reads of segments and their members, on a snapshot.
package protocol SegmentReader: ContactSearch {
}
