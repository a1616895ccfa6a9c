import WorkflowModel

/// The store's operations on contacts: lists, bulk changes, import and export, inside one write transaction.
package protocol ContactTransaction: AnyObject {
}

/// Reads of contacts: lists, bulk changes, import and export, on a snapshot.
package protocol ContactReader: AnyObject {
}
