/**
 * Applies decorators as TypeScript does, so that the contestants that need them run without a compiler. As what it emits,
 * it uses the `reflect-metadata` that the framework has loaded, and loads none of its own.
 */

/** Marks a class: its decorators, and what its constructor takes (`emitDecoratorMetadata`). */
export function decorateClass(target, decorators, types = []) {
  Reflect.defineMetadata('design:paramtypes', types, target)
  for (const decorate of decorators.toReversed()) decorate(target)
  return target
}

/** Marks a method: its decorators, those of its parameters, and their types. */
export function decorateMethod(target, key, decorators, parameters = [], types = parameters.map(() => Object)) {
  const { prototype } = target
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key)
  Reflect.defineMetadata('design:paramtypes', types, prototype, key)
  Reflect.defineMetadata('design:returntype', Object, prototype, key)
  parameters.forEach((decorate, index) => {
    decorate?.(prototype, key, index)
  })
  for (const decorate of decorators.toReversed()) decorate(prototype, key, descriptor)
}
