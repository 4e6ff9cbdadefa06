// SPDX-License-Identifier: Apache-2.0
// Lists the exported names of a package, and their public members, that have no documentation, a line each.
// Usage: node public-docs.mjs FILE.d.ts…
import { createRequire } from 'node:module';
import { dirname } from 'node:path';

// The one that Are The Types Wrong brings along: TypeScript 7 has no such API yet.
const near = createRequire(createRequire(import.meta.url).resolve('@arethetypeswrong/core'));
const ts = near('typescript');

const entries = process.argv.slice(2);
const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  skipLibCheck: true,
  types: ['node'],
});
const checker = program.getTypeChecker();
const root = dirname(entries[0]);
const exported = new Map(
  entries
    .flatMap((entry) =>
      checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry))),
    )
    .map((symbol) => [
      symbol.name,
      symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
    ]),
);
const missing = new Set();
const seen = new Set();

/** Members of these have the meaning, and the documentation, of another interface's. */
const ELSEWHERE = { ResolvedOptions: 'RealtimeModelOptions' };

const documented = (symbol) =>
  symbol.getDocumentationComment(checker).length > 0 || symbol.getJsDocTags(checker).length > 0;
const hidden = (declaration) =>
  ts.getCombinedModifierFlags(declaration) &
    (ts.ModifierFlags.Private | ts.ModifierFlags.Protected) ||
  ts.isConstructorDeclaration(declaration) ||
  ts.isTypeParameterDeclaration(declaration) ||
  declaration.name?.kind === ts.SyntaxKind.PrivateIdentifier;
const inherited = (declaration) =>
  ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Override;

function visit(symbol, name) {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const [declaration] = target.declarations ?? [];
  if (seen.has(target) || !declaration?.getSourceFile().fileName.startsWith(root)) return;
  seen.add(target);
  if (target.flags & ts.SymbolFlags.Module) {
    for (const inner of checker.getExportsOfModule(target)) visit(inner, `${name}.${inner.name}`);
    return;
  }
  if (target.declarations.some((d) => hidden(d)) || name.includes('.prototype')) return;
  if (!documented(target) && !inherited(declaration)) missing.add(name);
  if (target.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface)) {
    const known = exported.get(ELSEWHERE[target.name])?.members;
    for (const member of target.members?.values() ?? [])
      if (!known?.has(member.escapedName)) visit(member, `${name}.${member.name}`);
    for (const member of target.exports?.values() ?? []) visit(member, `${name}.${member.name}`);
  }
}

for (const [name, symbol] of exported) visit(symbol, name);
for (const name of missing) console.log(name);
console.error(`${seen.size} names`);
