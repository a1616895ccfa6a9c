import WorkflowModel

/// The store's operations on segments and their members, inside one write transaction.
package protocol SegmentTransaction: AnyObject {
}

/// Reads of segments and their members, on a snapshot.
package protocol SegmentReader: AnyObject {
}
