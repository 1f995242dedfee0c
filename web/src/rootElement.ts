/** Return the element of the document that React renders into. */
export function rootElement(): HTMLElement {
  const element = document.getElementById('root')
  if (element === null) throw new Error('The document must have an element with the id "root".')
  return element
}
