import WorkflowModel

/// The store's operations on templates and their versions, inside one write transaction.
package protocol TemplateTransaction: AnyObject {
}

/// Reads of templates and their versions, on a snapshot.
package protocol TemplateReader: AnyObject {
}
