import WorkflowModel

/// The store's operations on what happened to one contact, and the events of a project, inside one write transaction.
package protocol HistoryTransaction: AnyObject {
}

/// Reads of what happened to one contact, and the events of a project, on a snapshot.
package protocol HistoryReader: AnyObject {
}
