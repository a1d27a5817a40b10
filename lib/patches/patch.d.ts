declare module "*.patch" {
  const text: string;
  export default text;
}
